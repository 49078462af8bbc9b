//! The store against a simple model, with faults between any two pieces of work.

use super::open::with_suffix;
use super::*;
use crate::error::ErrorCode;
use crate::queue::store::{
    Append, CLOSED, Cause, Claim, ClaimOrder, LaneId, Owner, Settlement, StageNumber, Verdict,
};
use proptest::prelude::*;
use std::collections::BTreeMap;
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

/// Fast, and without waiting for others.
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

#[derive(Clone, Debug)]
enum Deed {
    Append(LaneId, StageNumber),
    Claim(Owner, usize),
    /// Which of the claims held, and how it ends.
    Settle(prop::sample::Index, Ending),
    Replay(prop::sample::Index),
    Discard(prop::sample::Index),
    /// The connection ends, and another begins.
    Reopen,
    /// The process dies in the middle of a transaction, after so many steps of `SQLite`'s.
    Crash(LaneId, i32),
}

#[derive(Clone, Copy, Debug)]
enum Ending {
    Delivered,
    Retried,
    Released,
    Rejected,
    RejectedAndHeld,
}

fn deed() -> impl Strategy<Value = Deed> {
    use Ending::{Delivered, Rejected, RejectedAndHeld, Released, Retried};
    let ending = prop::sample::select(vec![
        Delivered,
        Delivered,
        Delivered,
        Retried,
        Released,
        Rejected,
        RejectedAndHeld,
    ]);
    prop_oneof![
        6 => (1..6_i64, 0..=CLOSED).prop_map(|(lane, stage)| Deed::Append(lane, stage)),
        4 => (1..3_i64, 1..4_usize).prop_map(|(owner, most)| Deed::Claim(owner, most)),
        6 => (any::<prop::sample::Index>(), ending).prop_map(|(which, how)| Deed::Settle(which, how)),
        1 => any::<prop::sample::Index>().prop_map(Deed::Replay),
        1 => any::<prop::sample::Index>().prop_map(Deed::Discard),
        1 => Just(Deed::Reopen),
        1 => (1..6_i64, 1..250).prop_map(|(lane, steps)| Deed::Crash(lane, steps)),
    ]
}

/// What the store should be like: per lane, ids in order, and whether it is leased or held.
#[derive(Default)]
struct Model {
    lanes: BTreeMap<LaneId, Vec<UpdateId>>,
    leased: Vec<(Claim, Owner)>,
    held: std::collections::BTreeSet<LaneId>,
    dead: BTreeMap<UpdateId, LaneId>,
    stages: BTreeMap<UpdateId, StageNumber>,
    stats: Stats,
}

impl Model {
    fn is_leased(&self, lane: LaneId) -> bool {
        self.leased.iter().any(|(claim, _)| claim.lane == lane)
    }

    fn eligible(&self) -> Vec<LaneId> {
        let lanes = self.lanes.iter().filter(|(_, ids)| !ids.is_empty());
        let free = lanes.filter(|(lane, _)| !self.is_leased(**lane) && !self.held.contains(lane));
        free.map(|(lane, _)| *lane).collect()
    }

    fn is_beyond(&self, lane: LaneId, stage: StageNumber) -> bool {
        let waiting = self.lanes.get(&lane).into_iter().flatten();
        let latest = waiting.map(|id| self.stages[id]).max();
        stage > 0 && latest.is_some_and(|latest| latest > stage)
    }

    fn revive(&mut self, id: UpdateId) {
        let lane = self.dead.remove(&id).expect("dead");
        let first = usize::from(self.is_leased(lane));
        let ids = self.lanes.entry(lane).or_default();
        let place = ids.iter().skip(first).filter(|other| **other < id).count() + first;
        ids.insert(place.min(ids.len()), id);
        self.held.remove(&lane);
        self.stats.dead -= 1;
        self.stats.pending += 1;
    }

    fn end(&mut self, which: usize, how: Ending) {
        let (claim, _) = self.leased.remove(which);
        if matches!(how, Ending::Retried | Ending::Released) {
            return;
        }
        let id = self.lanes.get_mut(&claim.lane).expect("a lane").remove(0);
        assert_eq!(id, claim.id);
        self.stats.pending -= 1;
        if matches!(how, Ending::Delivered) {
            self.stats.delivered += 1;
        } else {
            self.stats.dead += 1;
            self.dead.insert(id, claim.lane);
        }
        if matches!(how, Ending::RejectedAndHeld) {
            self.held.insert(claim.lane);
        }
    }
}

fn verdict(ending: Ending) -> Verdict {
    match ending {
        Ending::Delivered => Verdict::Delivered,
        Ending::Retried => Verdict::Retry(Duration::ZERO),
        Ending::Released => Verdict::Released,
        Ending::Rejected => Verdict::Rejected {
            cause: refused(),
            hold: false,
        },
        Ending::RejectedAndHeld => Verdict::Rejected {
            cause: refused(),
            hold: true,
        },
    }
}

fn perform(store: &mut SqliteStore, folder: &mut Folder, model: &mut Model, deed: &Deed) {
    match deed {
        Deed::Append(lane, stage) => {
            let update = Append {
                lane: *lane,
                payload: format!("of lane {lane}").into_bytes(),
                stage: *stage,
            };
            let Effect::Appended { id, stale, .. } = one(store, Work::Append(update)) else {
                panic!("another effect");
            };
            assert_eq!(stale, model.is_beyond(*lane, *stage), "a later state waits");
            model.stages.insert(id, *stage);
            model.lanes.entry(*lane).or_default().push(id);
            model.stats.accepted += 1;
            model.stats.pending += 1;
        }
        Deed::Claim(owner, most) => {
            let claims = claim(store, *owner, *most, HOUR);
            let eligible = model.eligible();
            assert_eq!(claims.len(), eligible.len().min(*most));
            for claim in claims {
                assert!(eligible.contains(&claim.lane));
                assert_eq!(
                    claim.id, model.lanes[&claim.lane][0],
                    "the oldest goes first"
                );
                model.leased.push((claim, *owner));
            }
        }
        Deed::Settle(which, how) if !model.leased.is_empty() => {
            let which = which.index(model.leased.len());
            let (claim, owner) = model.leased[which].clone();
            assert!(
                !settle(store, &claim, owner + 10, verdict(*how)),
                "not theirs"
            );
            assert!(settle(store, &claim, owner, verdict(*how)));
            model.end(which, *how);
        }
        Deed::Replay(which) if !model.dead.is_empty() => {
            let id = *model
                .dead
                .keys()
                .nth(which.index(model.dead.len()))
                .unwrap();
            assert!(matches!(one(store, Work::Replay(id)), Effect::Found(true)));
            model.revive(id);
        }
        Deed::Discard(which) if !model.dead.is_empty() => {
            let id = *model
                .dead
                .keys()
                .nth(which.index(model.dead.len()))
                .unwrap();
            assert!(matches!(
                one(store, Work::Discard(id)),
                Effect::Discarded(_)
            ));
            let lane = model.dead.remove(&id).unwrap();
            model.held.remove(&lane);
            model.stats.dead -= 1;
            model.stats.discarded += 1;
        }
        Deed::Reopen => *store = open(folder),
        Deed::Crash(lane, steps) => crash(store, folder, *lane, *steps),
        _ => {}
    }
}

/// Goes on with what a process that dies then leaves on disk. The transaction fails in its last
/// statement at the latest.
fn crash(store: &mut SqliteStore, folder: &mut Folder, lane: LaneId, steps: i32) {
    let update = Append {
        lane,
        payload: vec![1],
        stage: 0,
    };
    let left = Folder::new("left");
    let (from, to) = (folder.file(), left.file());
    let die = move || {
        for suffix in ["", "-wal"] {
            let copied = std::fs::copy(with_suffix(&from, suffix), with_suffix(&to, suffix));
            copied.expect("copied");
        }
        true
    };
    let connection = &mut store.connection;
    connection
        .execute_batch(
            "CREATE TEMP TRIGGER fail BEFORE UPDATE ON main.books
             BEGIN SELECT RAISE(ABORT, 'fail'); END",
        )
        .unwrap();
    connection.progress_handler(steps, Some(die)).unwrap();
    let work = [Work::Append(update), claim_order(1, 3, HOUR)];
    assert!(store.commit(&work).is_err());
    let connection = &mut store.connection;
    connection
        .progress_handler(0, None::<fn() -> bool>)
        .unwrap();
    connection.execute_batch("DROP TRIGGER fail").unwrap();
    if left.file().exists() {
        *store = open(&left);
        *folder = left;
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]
    #[test]
    fn the_store_does_as_the_model(deeds in prop::collection::vec(deed(), 1..60)) {
        let mut folder = Folder::new("model");
        let mut store = open(&folder);
        let mut model = Model::default();
        for deed in &deeds {
            perform(&mut store, &mut folder, &mut model, deed);
            let stats = store.audit().unwrap();
            let in_flight = u64::try_from(model.leased.len()).unwrap();
            let expected = Stats { in_flight, oldest_pending_seconds: stats.oldest_pending_seconds, ..model.stats };
            prop_assert_eq!(stats, expected);
        }
    }
}

#[test]
fn a_lease_that_ran_out_is_taken_over_and_the_late_one_settles_nothing() {
    let folder = Folder::new("lease");
    let mut store = open(&folder);
    append(&mut store, 1, "a");
    append(&mut store, 1, "b");
    let first = claim(&mut store, 1, 9, 0).remove(0);
    let second = claim(&mut store, 2, 9, HOUR).remove(0);
    assert_eq!(first.id, second.id);
    assert!(!settle(&mut store, &first, 1, Verdict::Delivered));
    assert!(settle(&mut store, &second, 2, Verdict::Delivered));
    assert_eq!(claim(&mut store, 1, 9, HOUR)[0].payload, b"b");
}

#[test]
fn what_is_interrupted_three_times_is_set_apart() {
    let folder = Folder::new("poison");
    let mut store = open(&folder);
    append(&mut store, 1, "poison");
    for _ in 0..3 {
        assert_eq!(claim(&mut store, 1, 9, 0).len(), 1);
    }
    assert!(claim(&mut store, 1, 9, 0).is_empty());
    let letters = store.dead_letters(0, 9).unwrap();
    assert_eq!(
        (letters.len(), letters[0].code.as_str()),
        (1, "interrupted")
    );
}

#[test]
fn limits_refuse_and_a_repetition_is_collapsed() {
    let folder = Folder::new("limits");
    let limits = Limits {
        rows: Some(2),
        bytes: None,
        collapse: true,
    };
    let limited = Setup {
        limits,
        ..setup(&folder.file())
    };
    let mut store = SqliteStore::open(&limited).unwrap();
    let mut add = |text: &str| {
        let payload = text.as_bytes().to_vec();
        one(
            &mut store,
            Work::Append(Append {
                lane: 1,
                payload,
                stage: 0,
            }),
        )
    };
    assert!(matches!(add("a"), Effect::Appended { id: 1, .. }));
    assert!(matches!(add("a"), Effect::Collapsed { id: 1, .. }));
    assert!(matches!(add("b"), Effect::Appended { id: 2, .. }));
    assert!(matches!(add("a"), Effect::Full { rows: 2, .. }));
    assert!(
        matches!(add("b"), Effect::Collapsed { id: 2, .. }),
        "needs no room"
    );
    assert_eq!(store.audit().unwrap().accepted, 2);
}

#[test]
fn what_is_delivered_leaves_no_trace() {
    let folder = Folder::new("trace");
    let mut store = open(&folder);
    append(&mut store, 1, "somebody@example.com");
    let claim = claim(&mut store, 1, 9, HOUR).remove(0);
    settle(&mut store, &claim, 1, Verdict::Delivered);
    SqliteCheckpointer::new(&folder.file())
        .checkpoint_all()
        .unwrap();
    for entry in std::fs::read_dir(&folder.0).unwrap() {
        let bytes = std::fs::read(entry.unwrap().path()).unwrap();
        assert!(!bytes.windows(8).any(|part| part == b"somebody"));
    }
}

#[test]
fn what_is_no_outbox_is_refused_and_untouched() {
    let folder = Folder::new("foreign");
    let other = folder.0.join("other.db");
    let database = Connection::open(&other).unwrap();
    database
        .execute_batch("PRAGMA journal_mode = WAL; CREATE TABLE t (x); INSERT INTO t VALUES (1)")
        .unwrap();
    let of_sqlite = std::fs::read(&other).unwrap();
    for content in [
        &b"order_id,email\n1001,jane@example.com\n"[..],
        b"x",
        b"\x7fELF\x02\x01\x01",
        &of_sqlite,
    ] {
        std::fs::write(folder.file(), content).unwrap();
        assert_eq!(refusal(&folder).code(), ErrorCode::OutboxForeign);
        assert_eq!(
            inspect(&folder.file()).unwrap_err().code(),
            ErrorCode::OutboxForeign
        );
        assert_eq!(std::fs::read(folder.file()).unwrap(), content);
    }
    std::fs::remove_file(folder.file()).unwrap();
    std::os::unix::fs::symlink(&other, folder.file()).unwrap();
    assert_eq!(refusal(&folder).code(), ErrorCode::OutboxForeign);
    assert_eq!(
        database.query_row("SELECT x FROM t", [], |row| row.get::<_, i64>(0)),
        Ok(1)
    );
    drop(database);
    let mut names: Vec<_> = std::fs::read_dir(&folder.0)
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    names.sort();
    assert_eq!(
        names,
        ["other.db", "outbox.db"],
        "nothing was made or renamed"
    );
}

#[test]
fn a_path_that_cannot_hold_a_file_says_why() {
    let folder = Folder::new("paths");
    let at = |path: PathBuf| SqliteStore::open(&setup(&path)).err().expect("refused");
    let error = at(folder.0.clone());
    assert_eq!(error.code(), ErrorCode::OutboxForeign);
    assert!(error.message().contains("is a folder"), "{error}");
    let error = at(folder.0.join("missing/outbox.db"));
    assert!(
        error
            .message()
            .contains("missing does not exist; create it"),
        "{error}"
    );
    std::os::unix::fs::symlink(folder.0.join("nowhere"), folder.file()).unwrap();
    let error = refusal(&folder);
    assert!(
        error.message().contains("symbolic link that leads nowhere"),
        "{error}"
    );
}

#[test]
fn a_reader_changes_nothing() {
    let folder = Folder::new("reader");
    let look = || {
        let mut reader = OutboxReader::open(&folder.file()).unwrap();
        let stats = reader.stats().unwrap();
        let ids = |updates: Vec<i64>| updates;
        let pending = reader.pending_updates(0, 9).unwrap();
        (
            stats.accepted,
            ids(pending.into_iter().map(|update| update.id).collect()),
        )
    };
    let names = || {
        let entries = std::fs::read_dir(&folder.0).unwrap();
        let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        names
    };
    assert!(OutboxReader::open(&folder.file()).is_err());
    assert!(names().is_empty(), "none is made");
    let mut store = open(&folder);
    append(&mut store, 1, "a");
    assert_eq!(look(), (1, vec![1]), "in use");
    append(&mut store, 1, "b");
    drop(store);
    let (before, bytes) = (names(), std::fs::read(folder.file()).unwrap());
    assert_eq!(look(), (2, vec![1, 2]), "not in use");
    assert_eq!(
        (names(), std::fs::read(folder.file()).unwrap()),
        (before, bytes)
    );
}

#[test]
fn a_newer_file_is_refused() {
    let folder = Folder::new("newer");
    let store = open(&folder);
    store
        .connection
        .pragma_update(None, "user_version", 99)
        .unwrap();
    assert_eq!(refusal(&folder).code(), ErrorCode::OutboxNewer);
}

#[test]
fn a_log_without_its_file_is_not_begun_anew() {
    let folder = Folder::new("orphaned");
    let mut store = open(&folder);
    append(&mut store, 1, "a");
    let log = with_suffix(&folder.file(), "-wal");
    let kept = std::fs::read(&log).unwrap();
    drop(store);
    std::fs::remove_file(folder.file()).unwrap();
    std::fs::write(&log, &kept).unwrap();
    let error = refusal(&folder);
    assert_eq!(error.code(), ErrorCode::OutboxCorrupt);
    assert!(error.message().contains("repair"), "{error}");
    assert_eq!(std::fs::read(&log).unwrap(), kept);
}

#[test]
fn a_damaged_file_fails_closed_and_keeps_its_log() {
    let folder = Folder::new("damaged");
    let mut store = open(&folder);
    for lane in 0..50 {
        append(&mut store, lane, &"x".repeat(500));
    }
    SqliteCheckpointer::new(&folder.file())
        .checkpoint_all()
        .unwrap();
    append(&mut store, 99, "only in the log");
    let log = std::fs::read(with_suffix(&folder.file(), "-wal")).unwrap();
    std::mem::forget(store); // As if its process had been killed.
    let mut bytes = std::fs::read(folder.file()).unwrap();
    bytes[2048..].fill(0xff);
    std::fs::write(folder.file(), &bytes).unwrap();
    let damaged = SqliteStore::open(&setup(&folder.file()))
        .and_then(|mut store| store.commit(&[claim_order(1, 9, HOUR)]));
    assert_eq!(damaged.err().unwrap().code(), ErrorCode::OutboxCorrupt);
    assert_eq!(std::fs::read(folder.file()).unwrap(), bytes);
    assert_eq!(
        std::fs::read(with_suffix(&folder.file(), "-wal")).unwrap(),
        log
    );
}

#[test]
fn a_file_that_is_gone_gives_no_ticket_but_still_settles() {
    for disappear in [
        (|folder: &Folder| std::fs::remove_file(folder.file()).unwrap()) as fn(&Folder),
        |folder| {
            let new = folder.0.join("new");
            std::fs::write(&new, "").unwrap();
            std::fs::rename(new, folder.file()).unwrap();
        },
    ] {
        let folder = Folder::new("gone");
        let mut store = open(&folder);
        append(&mut store, 1, "a");
        let claim = claim(&mut store, 1, 9, HOUR).remove(0);
        disappear(&folder);
        let update = Append {
            lane: 2,
            payload: b"b".to_vec(),
            stage: 0,
        };
        for _ in 0..2 {
            let Effect::Refused(error) = one(&mut store, Work::Append(update.clone())) else {
                panic!("a ticket for a file that is gone");
            };
            assert_eq!(error.code(), ErrorCode::OutboxMoved);
        }
        assert_eq!(store.stats().unwrap_err().code(), ErrorCode::OutboxMoved);
        assert!(settle(&mut store, &claim, 1, Verdict::Delivered));
    }
}

#[test]
fn a_file_that_was_moved_is_not_used_until_it_is_back() {
    let folder = Folder::new("moved");
    let mut store = open(&folder);
    append(&mut store, 1, "a");
    let elsewhere = folder.0.join("elsewhere");
    std::fs::rename(folder.file(), &elsewhere).unwrap();
    store.check().unwrap_err();
    let refused = store.commit(&[claim_order(1, 9, HOUR)]).err().unwrap();
    assert_eq!(refused.code(), ErrorCode::OutboxMoved);
    std::fs::rename(&elsewhere, folder.file()).unwrap();
    assert_eq!(append(&mut store, 1, "b"), 2);
}

#[test]
fn damaged_lanes_stop_neither_others_nor_themselves() {
    let folder = Folder::new("lanes");
    let mut store = open(&folder);
    for text in ["a", "b", "c"] {
        append(&mut store, 1, text);
        append(&mut store, 2, text);
    }
    append(&mut store, 3, "good");
    store
        .connection
        .execute_batch(
            "
        UPDATE lanes SET head = 999 WHERE lane = 1;
        UPDATE updates SET next = id WHERE id = 2;
        INSERT INTO lanes (lane, due, head, tail) VALUES (4, 0, NULL, NULL);
        INSERT INTO lanes (lane, due, head, tail) VALUES (5, 0, 7, 7);",
        )
        .unwrap();
    let mut sent = Vec::new();
    for _ in 0..20 {
        for claim in claim(&mut store, 1, 9, HOUR) {
            sent.push((
                claim.lane,
                String::from_utf8(claim.payload.clone()).unwrap(),
            ));
            settle(&mut store, &claim, 1, Verdict::Delivered);
        }
    }
    let of = |lane| {
        sent.iter()
            .filter(|(of, _)| *of == lane)
            .map(|(_, text)| text.as_str())
            .collect::<String>()
    };
    assert_eq!(
        (of(1).as_str(), of(2).as_str(), of(3).as_str()),
        ("abc", "abc", "good")
    );
    assert_eq!(store.audit().unwrap().delivered, 7);
}

#[test]
fn replay_into_a_lane_that_goes_round_ends() {
    let folder = Folder::new("round");
    let mut store = open(&folder);
    for text in ["a", "b", "c"] {
        append(&mut store, 1, text);
    }
    for _ in 0..2 {
        let claim = claim(&mut store, 1, 1, HOUR).remove(0);
        let cause = Cause {
            code: "rejected",
            status: None,
            reason: String::new(),
        };
        settle(
            &mut store,
            &claim,
            1,
            Verdict::Rejected { cause, hold: false },
        );
    }
    let mut replay = |id| match one(&mut store, Work::Replay(id)) {
        Effect::Found(found) => found,
        _ => panic!("another effect"),
    };
    assert!(replay(1));
    let round = "UPDATE updates SET next = 1 WHERE id = 1";
    Connection::open(folder.file())
        .unwrap()
        .execute(round, [])
        .unwrap();
    assert!(replay(2));
    let mut sent = String::new();
    while let Some(claim) = claim(&mut store, 1, 1, HOUR).pop() {
        sent.push_str(std::str::from_utf8(&claim.payload).unwrap());
        settle(&mut store, &claim, 1, Verdict::Delivered);
    }
    assert_eq!(sent, "abc");
}

#[test]
fn what_waits_for_its_next_try_can_be_made_due() {
    let folder = Folder::new("hasten");
    let mut store = open(&folder);
    append(&mut store, 1, "a");
    let claimed = claim(&mut store, 1, 1, HOUR).remove(0);
    settle(
        &mut store,
        &claimed,
        1,
        Verdict::Retry(Duration::from_secs(3600)),
    );
    append(&mut store, 2, "b");
    let leased = claim(&mut store, 1, 9, HOUR).remove(0);
    assert_eq!(leased.lane, 2);
    one(&mut store, Work::MakeDue);
    assert_eq!(
        claim(&mut store, 2, 9, HOUR)[0].lane,
        1,
        "and not the one under way"
    );
}

#[test]
fn another_boot_delays_and_reorders_nothing() {
    let folder = Folder::new("boot");
    let mut store = open(&folder);
    append(&mut store, 1, "a");
    let claimed = claim(&mut store, 1, 9, HOUR).remove(0);
    store
        .connection
        .execute(
            "UPDATE books SET boot = 'another', seen_wall = seen_wall + 99999999",
            [],
        )
        .unwrap();
    let mut store = open(&folder);
    assert_eq!(claim(&mut store, 2, 9, HOUR)[0].id, claimed.id);
}
