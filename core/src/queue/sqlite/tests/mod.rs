//! The store: against a model, in single situations, and with files that are damaged, foreign or moved.

mod files;
mod lanes;
mod model;

use super::setup::{Limits, Setup};
use super::store::SqliteStore;
use crate::config::Durability;
use crate::error::Error;
use crate::queue::store::{
    Append, Cause, Claim, ClaimOrder, Effect, LaneId, Owner, Settlement, Store, UpdateId, Verdict,
    Work,
};
use std::path::{Path, PathBuf};
use std::time::Duration;

pub(super) struct Folder(pub PathBuf);

impl Folder {
    pub(super) fn new(name: &str) -> Self {
        let unique = format!(
            "katalys-outbox-{}-{name}-{:x}",
            std::process::id(),
            fastrand::u64(..)
        );
        let path = std::env::temp_dir().join(unique);
        std::fs::create_dir(&path).expect("a folder");
        Self(path)
    }

    pub(super) fn file(&self) -> PathBuf {
        self.0.join("outbox.db")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Settings for tests: commits do not wait for the disk.
pub(super) fn setup(path: &Path) -> Setup {
    Setup {
        path: path.to_owned(),
        durability: Durability::Normal,
        busy_timeout: Duration::from_secs(5),
        limits: Limits::default(),
    }
}

pub(super) fn open(folder: &Folder) -> SqliteStore {
    SqliteStore::open(&setup(&folder.file())).expect("opened")
}

fn refusal(folder: &Folder) -> Error {
    SqliteStore::open(&setup(&folder.file()))
        .err()
        .expect("refused")
}

fn one(store: &mut SqliteStore, work: Work) -> Effect {
    store.commit(&[work]).expect("committed").remove(0)
}

pub(super) fn append(store: &mut SqliteStore, lane: LaneId, text: &str) -> UpdateId {
    let payload = text.as_bytes().to_vec();
    match one(
        store,
        Work::Append(Append {
            lane,
            payload,
            stage: 0,
        }),
    ) {
        Effect::Appended { id, .. } => id,
        _ => panic!("another effect"),
    }
}

fn claim_order(owner: Owner, most: usize, lease: u64) -> Work {
    let lease = Duration::from_millis(lease);
    let (max_age, hold) = (None, false);
    Work::Claim(ClaimOrder {
        owner,
        most,
        any_from: None,
        lease,
        max_age,
        hold,
    })
}

fn claim(store: &mut SqliteStore, owner: Owner, most: usize, lease: u64) -> Vec<Claim> {
    match one(store, claim_order(owner, most, lease)) {
        Effect::Claimed { claims, .. } => claims,
        _ => panic!("another effect"),
    }
}

fn settle(store: &mut SqliteStore, claim: &Claim, owner: Owner, verdict: Verdict) -> bool {
    let (lane, id) = (claim.lane, claim.id);
    match one(
        store,
        Work::Settle(Settlement {
            lane,
            id,
            owner,
            verdict,
        }),
    ) {
        Effect::Settled(done) => done,
        _ => panic!("another effect"),
    }
}

fn refused() -> Cause {
    Cause {
        code: "rejected",
        status: Some(400),
        reason: "refused".into(),
    }
}

const HOUR: u64 = 3_600_000;
