//! Repairs of outboxes that were filled, copied as a killed process leaves them, and damaged.

mod interrupted;
mod log;
mod random;
mod single;

use super::files::Files;
use super::pages::Place;
use super::report::RepairReport;
use super::{btree, repair, rows};
use crate::config::Language;
use crate::order::Fields;
use crate::queue::sqlite::format::with_suffix;
use crate::queue::sqlite::tests::{Folder, open};
use crate::queue::sqlite::{SqliteStore, inspect};
use crate::queue::store::{
    Append, Cause, ClaimOrder, Effect, Settlement, Store, UpdateId, Verdict, Work, count,
};
use crate::{Client, ErrorCode};
use katalys_receiver::{Options, Receiver};
use rusqlite::Connection;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File, OpenOptions};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

const ORDERS: u64 = 7;

const HOUR: Duration = Duration::from_secs(3600);

/// The state of an update that was not delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Pending,
    Dead,
}

/// An open outbox, and its expected content.
struct Filled {
    folder: Folder,
    store: Option<SqliteStore>,
    rows: BTreeMap<UpdateId, State>,
    accepted: i64,
    delivered: i64,
}

impl Filled {
    fn new(name: &str) -> Self {
        let folder = Folder::new(name);
        let store = open(&folder);
        Self {
            folder,
            store: Some(store),
            rows: BTreeMap::new(),
            accepted: 0,
            delivered: 0,
        }
    }

    /// Accepts updates of a few orders; some are delivered, others rejected.
    fn fill(name: &str, updates: u64, seed: u64) -> Self {
        let mut filled = Self::new(name);
        let mut random = fastrand::Rng::with_seed(seed);
        for number in 0..updates {
            // Some need overflow pages.
            let length = if random.u8(..8) == 0 {
                random.usize(2000..9000)
            } else {
                random.usize(..300)
            };
            filled.append(number % ORDERS, length);
            if random.u8(..3) == 0 {
                filled.settle(random.bool());
            }
        }
        filled
    }

    fn commit(&mut self, work: Work) -> Effect {
        self.store
            .as_mut()
            .unwrap()
            .commit(&[work])
            .unwrap()
            .remove(0)
    }

    fn append(&mut self, order: u64, length: usize) {
        let note = "x".repeat(length);
        let number = self.accepted + 1;
        let payload = format!(
            r#"{{"site_id":"abcd.com","order_id":"order-{order}","number":{number},"note":"{note}"}}"#
        );
        let update = Append {
            lane: i64::try_from(order).unwrap() - 3,
            payload: payload.into_bytes(),
            stage: 0,
        };
        let Effect::Appended { id, .. } = self.commit(Work::Append(update)) else {
            panic!("another effect");
        };
        assert_eq!(id, number);
        self.accepted = id;
        self.rows.insert(id, State::Pending);
    }

    fn settle(&mut self, is_accepted: bool) {
        let order = ClaimOrder {
            owner: 1,
            most: 1,
            any_from: None,
            lease: HOUR,
            max_age: None,
            hold: false,
        };
        let Effect::Claimed { claims, .. } = self.commit(Work::Claim(order)) else {
            panic!("another effect");
        };
        let Some(claim) = claims.first() else { return };
        let cause = Cause {
            code: "rejected",
            status: Some(422),
            reason: "refused".into(),
        };
        let verdict = if is_accepted {
            Verdict::Delivered
        } else {
            Verdict::Rejected { cause, hold: false }
        };
        let (lane, id, owner) = (claim.lane, claim.id, 1);
        self.commit(Work::Settle(Settlement {
            lane,
            id,
            owner,
            verdict,
        }));
        if is_accepted {
            self.rows.remove(&id);
            self.delivered += 1;
        } else {
            self.rows.insert(id, State::Dead);
        }
    }

    /// A copy of the files as a killed process leaves them.
    fn killed(&self, suffixes: &[&str]) -> Folder {
        let left = Folder::new("killed");
        for suffix in suffixes {
            let (from, to) = (self.folder.file(), left.file());
            fs::copy(with_suffix(&from, suffix), with_suffix(&to, suffix)).unwrap();
        }
        left
    }

    /// A copy of the main file after the last process has closed it, so that it holds everything.
    fn closed(&mut self) -> Folder {
        self.store = None;
        self.killed(&[""])
    }

    fn count(&self, state: State) -> u64 {
        self.rows.values().filter(|found| **found == state).count() as u64
    }
}

/// Where each row is, with its overflow pages, and the number of pages.
fn read(path: &Path) -> (BTreeMap<UpdateId, Vec<Place>>, u32) {
    let files = Files::open(path).unwrap();
    let (pages, all) = files.salvage().unwrap();
    let of_row = |row: &rows::Update| {
        let source = row.source;
        let bytes = pages.at(source.place).unwrap();
        let node = btree::Node::parse(source.page, source.place, bytes).unwrap();
        let overflow = node.row(&pages, source.cell).unwrap().overflow;
        let mut places: Vec<Place> = overflow.into_iter().map(|page| pages.place(page)).collect();
        places.push(source.place);
        (row.id, places)
    };
    let updates = all.updates.values().map(of_row);
    let dead = all.dead.values().map(|dead| of_row(&dead.update));
    (updates.chain(dead).collect(), pages.count())
}

fn is_lost(places: &[Place], lost_pages: &BTreeSet<u32>) -> bool {
    places
        .iter()
        .any(|place| matches!(place, Place::Main(page) if lost_pages.contains(page)))
}

fn payloads(path: &Path) -> BTreeMap<UpdateId, (State, i64)> {
    let connection = Connection::open(path).unwrap();
    let mut found = BTreeMap::new();
    for (table, state) in [("updates", State::Pending), ("dead", State::Dead)] {
        let sql = format!("SELECT id, payload FROM {table}");
        let mut statement = connection.prepare(&sql).unwrap();
        let mut rows = statement.query([]).unwrap();
        while let Some(row) = rows.next().unwrap() {
            let payload: Vec<u8> = row.get(1).unwrap();
            let payload: serde_json::Value = serde_json::from_slice(&payload).unwrap();
            let number = payload["number"].as_i64().unwrap();
            found.insert(row.get(0).unwrap(), (state, number));
        }
    }
    found
}

/// Delivers everything to a real endpoint; returns the numbers per order, as they arrived.
fn deliver(path: &Path, report: &RepairReport) -> BTreeMap<String, Vec<i64>> {
    let receiver = Receiver::start(&Options::default()).unwrap();
    let url = |name: &str| receiver.ready()[name].as_str().unwrap().to_owned();
    let endpoint = format!("{}/run/repaired/204", url("url"));
    let options = Fields::new()
        .set("site_id", "abcd.com")
        .set("outbox", path.to_str().unwrap().to_owned())
        .set("endpoint", endpoint);
    let client = Client::with_options(Language::Rust, &options).unwrap();
    assert_eq!(client.flush(HOUR).unwrap(), 0);
    let ticket = client
        .enqueue_update("another", [("order_status", "paid")])
        .unwrap();
    assert_eq!(count(ticket.id), report.numbers_continue_at);
    assert_eq!(client.flush(HOUR).unwrap(), 0);
    let stats = client.stats().unwrap();
    assert_eq!(stats.accepted, report.numbers_continue_at);
    assert_eq!(
        stats.accepted,
        stats.delivered + stats.dead + stats.discarded
    );
    assert_eq!(stats.dead, report.dead);
    client.close(HOUR).unwrap();
    let mut arrived: BTreeMap<String, Vec<i64>> = BTreeMap::new();
    for record in recorded(&url("control"), "repaired") {
        let body: serde_json::Value =
            serde_json::from_str(record["body"].as_str().unwrap()).unwrap();
        if let Some(number) = body["number"].as_i64() {
            let order = body["order_id"].as_str().unwrap().to_owned();
            arrived.entry(order).or_default().push(number);
        }
    }
    arrived
}

fn recorded(control: &str, run: &str) -> Vec<serde_json::Value> {
    let mut stream = TcpStream::connect(control.trim_start_matches("http://")).unwrap();
    let request = format!("GET /_recorded/{run} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (_, body) = answer.split_once("\r\n\r\n").unwrap();
    serde_json::from_str(body).unwrap()
}

/// Expects that every pending update arrives once, those of an order in the order of their numbers.
fn expect_delivered(path: &Path, report: &RepairReport) {
    let pending: Vec<UpdateId> = payloads(path)
        .into_iter()
        .filter(|(_, (state, _))| *state == State::Pending)
        .map(|(id, _)| id)
        .collect();
    let arrived = deliver(path, report);
    let mut all: Vec<i64> = arrived.values().flatten().copied().collect();
    assert!(
        arrived.values().all(|numbers| numbers.is_sorted()),
        "{arrived:?}"
    );
    all.sort_unstable();
    assert_eq!(all, pending);
}

fn expect_sound(path: &Path) {
    assert!(inspect(path).unwrap().is_balanced);
    let again = repair(path).unwrap();
    assert!(again.was_sound, "{again}");
}

fn overwrite(path: &Path, offset: u64, bytes: &[u8]) {
    let file = OpenOptions::new().write(true).open(path).unwrap();
    file.write_all_at(bytes, offset).unwrap();
}

fn names(folder: &Folder) -> Vec<String> {
    let entries = fs::read_dir(&folder.0).unwrap();
    let mut names: Vec<String> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}
