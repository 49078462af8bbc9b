//! Repairs of outboxes that were filled, copied as a killed process leaves them, and damaged.

use super::pages::Place;
use super::salvage::Salvaged;
use super::*;
use crate::config::Language;
use crate::order::Fields;
use crate::queue::sqlite::tests::{Folder, open};
use crate::queue::sqlite::{SqliteStore, inspect};
use crate::queue::store::{
    Append, Cause, ClaimOrder, Effect, Settlement, Store, UpdateId, Verdict, Work,
};
use crate::{Client, ErrorCode};
use katalys_receiver::{Options, Receiver};
use proptest::prelude::*;
use rusqlite::Connection;
use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::net::TcpStream;
use std::os::unix::fs::FileExt;

const ORDERS: u64 = 7;
const HOUR: Duration = Duration::from_secs(3600);

/// Whether an update waits or is a dead letter; delivered ones are not in here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Pending,
    Dead,
}

/// An outbox that is still open, and what it holds.
struct Filled {
    folder: Folder,
    store: Option<SqliteStore>,
    rows: BTreeMap<UpdateId, State>,
    accepted: i64,
    /// How many of each were delivered and discarded.
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

    /// Accepts updates of a few orders, delivers some and lets the endpoint refuse others.
    fn fill(name: &str, updates: u64, seed: u64) -> Self {
        let mut filled = Self::new(name);
        let mut random = fastrand::Rng::with_seed(seed);
        for number in 0..updates {
            // Some do not fit into a page.
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

    fn settle(&mut self, is_good: bool) {
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
        let verdict = if is_good {
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
        if is_good {
            self.rows.remove(&id);
            self.delivered += 1;
        } else {
            self.rows.insert(id, State::Dead);
        }
    }

    /// What a killed process leaves: main file, log and shared memory as they are.
    fn killed(&self, suffixes: &[&str]) -> Folder {
        let left = Folder::new("killed");
        for suffix in suffixes {
            let (from, to) = (self.folder.file(), left.file());
            fs::copy(with_suffix(&from, suffix), with_suffix(&to, suffix)).unwrap();
        }
        left
    }

    /// Everything in the main file, after the last process has closed it.
    fn closed(&mut self) -> Folder {
        self.store = None;
        self.killed(&[""])
    }

    fn count(&self, state: State) -> u64 {
        self.rows.values().filter(|found| **found == state).count() as u64
    }
}

/// Where each row is, with what did not fit into its page, and how many pages there are.
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
    let question = format!("GET /_recorded/{run} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    stream.write_all(question.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (_, body) = answer.split_once("\r\n\r\n").unwrap();
    serde_json::from_str(body).unwrap()
}

/// Every update that is pending arrives once, each order's in the order of their numbers.
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

#[derive(Clone, Copy, Debug)]
enum Harm {
    Zeros,
    Noise,
    /// Only the middle of the page.
    Scratch,
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn every_row_of_an_intact_page_is_kept_once(
        updates in 5..160_u64,
        seed in any::<u64>(),
        harmed in prop::collection::vec((any::<prop::sample::Index>(), prop::sample::select(
            vec![Harm::Zeros, Harm::Noise, Harm::Scratch])), 0..5),
        cut in prop::option::weighted(0.2, 0.2..1.0_f64),
    ) {
        let mut filled = Filled::fill("property", updates, seed);
        let folder = filled.closed();
        let path = folder.file();
        let (places, pages) = read(&path);
        let mut random = fastrand::Rng::with_seed(seed);
        let mut lost_pages = BTreeSet::new();
        for (which, harm) in &harmed {
            let page = u32::try_from(which.index(pages as usize)).unwrap();
            let noise: Vec<u8> = std::iter::repeat_with(|| random.u8(..)).take(2048).collect();
            match harm {
                Harm::Zeros => overwrite(&path, u64::from(page) * 2048, &[0; 2048]),
                Harm::Noise => overwrite(&path, u64::from(page) * 2048, &noise),
                Harm::Scratch => overwrite(&path, u64::from(page) * 2048 + 900, &noise[..64]),
            }
            lost_pages.insert(page + 1);
        }
        if let Some(cut) = cut {
            let length = fs::metadata(&path).unwrap().len();
            #[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss)]
            let kept = (length as f64 * cut) as u64;
            OpenOptions::new().write(true).open(&path).unwrap().set_len(kept).unwrap();
            lost_pages.extend(u32::try_from(kept / 2048).unwrap() + 1..=pages);
        }
        let report = match repair(&path) {
            Ok(report) => report,
            // Nothing of it is left that an outbox could be told by.
            Err(error) => {
                prop_assert_eq!(error.code(), ErrorCode::OutboxForeign);
                prop_assert!(places.values().all(|used| is_lost(used, &lost_pages)));
                return Ok(());
            }
        };
        let kept = payloads(&path);
        for (id, used) in &places {
            if !is_lost(used, &lost_pages) {
                prop_assert_eq!(kept.get(id), Some(&(filled.rows[id], *id)), "{}", report);
            }
        }
        for (id, (state, number)) in &kept {
            prop_assert_eq!(Some(state), filled.rows.get(id), "a row that was not there");
            prop_assert_eq!(number, id);
        }
        if let Some(lost) = report.lost {
            prop_assert_eq!(lost + kept.len() as u64, filled.rows.len() as u64);
            prop_assert_eq!(report.numbers_continue_at, count(filled.accepted) + 1);
        }
        prop_assert_eq!(report.was_sound, lost_pages.is_empty() || report.damaged_copy.is_none());
        expect_delivered(&path, &report);
        expect_sound(&path);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn every_row_of_an_intact_frame_is_kept_once(
        updates in 5..120_u64,
        seed in any::<u64>(),
        harmed in prop::collection::vec((any::<prop::sample::Index>(), any::<bool>()), 0..4),
        has_index in any::<bool>(),
    ) {
        const FRAME: u64 = 24 + 2048;
        let mut filled = Filled::fill("frames", updates, seed);
        // The last commit may be damaged because it was never finished, and is not trusted.
        let length = fs::metadata(with_suffix(&filled.folder.file(), "-wal")).unwrap().len();
        let frames = (length - 32) / FRAME;
        for number in 0..3 {
            filled.append(number, 10);
        }
        let suffixes: &[&str] = if has_index { &["", "-wal", "-shm"] } else { &["", "-wal"] };
        let folder = filled.killed(suffixes);
        let (path, log) = (folder.file(), with_suffix(&folder.file(), "-wal"));
        let (places, _) = read(&path);
        let mut lost = BTreeSet::new();
        for (which, is_header) in &harmed {
            let frame = which.index(usize::try_from(frames).unwrap()) as u64;
            let offset = 32 + frame * FRAME + if *is_header { 8 } else { 1000 };
            overwrite(&log, offset, b"damage by a disk");
            lost.insert(frame);
            // Its checksum continues the one in the damaged header.
            lost.extend(is_header.then_some(frame + 1));
        }
        let report = repair(&path).unwrap();
        let is_lost = |place: &Place| match place {
            Place::Log(image) => lost.contains(&((image.offset - 24 - 32) / FRAME)),
            Place::Main(_) => false,
        };
        let kept = payloads(&path);
        for (id, used) in &places {
            if !used.iter().any(is_lost) {
                prop_assert_eq!(kept.get(id).map(|(_, number)| number), Some(id), "{}", report);
            }
        }
        prop_assert!(kept.iter().all(|(id, (_, number))| id == number && *id <= filled.accepted));
        if lost.is_empty() {
            prop_assert!(report.was_sound);
        }
        expect_delivered(&path, &report);
        expect_sound(&path);
    }
}

#[test]
fn a_sound_file_stays_as_it_is() {
    let mut filled = Filled::fill("sound", 300, 1);
    for folder in [
        filled.killed(&["", "-wal", "-shm"]),
        filled.killed(&["", "-wal"]),
        filled.closed(),
    ] {
        let (before, bytes) = (names(&folder), fs::read(folder.file()).unwrap());
        let report = repair(&folder.file()).unwrap();
        assert!(report.was_sound, "{report}");
        assert_eq!(report.pending, filled.count(State::Pending));
        assert_eq!(report.dead, filled.count(State::Dead));
        assert_eq!(
            (names(&folder), fs::read(folder.file()).unwrap()),
            (before, bytes)
        );
    }
}

#[test]
fn what_only_the_log_has_is_kept_without_the_main_file() {
    let mut filled = Filled::new("log");
    for number in 0..20 {
        filled.append(number % ORDERS, 100);
    }
    for suffixes in [&["-wal"][..], &["-wal", "-shm"]] {
        let folder = filled.killed(suffixes);
        let report = repair(&folder.file()).unwrap();
        assert_eq!(
            (report.pending, report.lost, report.numbers_continue_at),
            (20, Some(0), 21)
        );
        assert!(report.to_string().contains("kept: 20 pending"), "{report}");
        expect_delivered(&folder.file(), &report);
    }
}

#[test]
fn without_its_first_page_all_of_a_file_is_kept() {
    let mut filled = Filled::fill("first", 200, 2);
    let folder = filled.closed();
    overwrite(&folder.file(), 0, &[0; 2048]);
    let report = repair(&folder.file()).unwrap();
    assert_eq!(report.pending, filled.count(State::Pending));
    assert_eq!(report.dead, filled.count(State::Dead));
    assert_eq!(report.lost, Some(0));
    let copy = report.damaged_copy.clone().unwrap();
    assert!(fs::read(copy).unwrap().starts_with(&[0; 2048]));
    expect_delivered(&folder.file(), &report);
}

#[test]
fn behind_a_damaged_frame_the_log_is_read_on() {
    let mut filled = Filled::new("frame");
    for number in 0..40 {
        filled.append(number % ORDERS, 200);
    }
    for suffixes in [&["", "-wal"][..], &["", "-wal", "-shm"]] {
        let folder = filled.killed(suffixes);
        let log = with_suffix(&folder.file(), "-wal");
        let frames = (fs::metadata(&log).unwrap().len() - 32) / (24 + 2048);
        overwrite(&log, 32 + frames / 2 * (24 + 2048) + 700, b"damage");
        let report = repair(&folder.file()).unwrap();
        assert!(!report.was_sound);
        let kept = payloads(&folder.file());
        assert!(kept.len() >= 30, "{report}");
        assert!(
            kept.contains_key(&1) && kept.contains_key(&40),
            "before and behind: {kept:?}"
        );
        assert_eq!(report.numbers_continue_at, 41);
        expect_delivered(&folder.file(), &report);
    }
}

/// Bytes that say how long something is or where it lies are hit most.
#[test]
fn whatever_a_file_says_a_repair_ends_with_a_sound_one_or_none() {
    let filled = Filled::fill("mutated", 80, 9);
    let mut random = fastrand::Rng::with_seed(10);
    let mut repaired = 0;
    for _ in 0..60 {
        let folder = filled.killed(&["", "-wal", "-shm"]);
        for _ in 0..random.usize(1..12) {
            let (suffix, unit) = [("", 2048), ("-wal", 2072), ("-shm", 4096)][random.usize(..3)];
            let path = with_suffix(&folder.file(), suffix);
            let length = fs::metadata(&path).unwrap().len();
            let start = random.u64(..length / unit) * unit;
            let at = start
                + if random.bool() {
                    random.u64(..60)
                } else {
                    random.u64(..unit)
                };
            overwrite(
                &path,
                at,
                &[[0, 1, 0x7f, 0x80, 0xff, random.u8(..)][random.usize(..6)]],
            );
        }
        let started = Instant::now();
        match repair(&folder.file()) {
            Ok(report) => {
                repaired += 1;
                let found = inspect(&folder.file()).unwrap();
                assert!(found.is_balanced, "{report}");
                assert_eq!((found.pending, found.dead), (report.pending, report.dead));
                expect_sound(&folder.file());
            }
            Err(error) => assert!(
                matches!(
                    error.code(),
                    ErrorCode::OutboxForeign | ErrorCode::OutboxNewer
                ),
                "{error}"
            ),
        }
        assert!(
            started.elapsed() < Duration::from_secs(30),
            "it takes too long"
        );
    }
    assert!(repaired > 45, "{repaired}");
}

/// As when the fsync of a commit fails: another one is written over the beginning of its frames.
#[test]
fn a_transaction_that_failed_is_no_damage() {
    let mut filled = Filled::new("failed");
    for number in 0..10 {
        filled.append(number % ORDERS, 100);
    }
    let before = filled.killed(&["", "-wal"]);
    filled.append(1, 9000);
    let failed = fs::read(with_suffix(&filled.folder.file(), "-wal")).unwrap();
    let mut filled = Filled {
        store: Some(open(&before)),
        rows: filled.rows,
        accepted: 10,
        delivered: 0,
        folder: before,
    };
    thread::sleep(Duration::from_millis(2)); // as an fsync takes at least
    filled.append(2, 10);
    let folder = filled.killed(&["", "-wal"]);
    let log = with_suffix(&folder.file(), "-wal");
    let mut bytes = fs::read(&log).unwrap();
    assert!(bytes.len() < failed.len());
    bytes.extend_from_slice(&failed[bytes.len()..]);
    fs::write(&log, bytes).unwrap();
    let report = repair(&folder.file()).unwrap();
    assert!(report.was_sound, "{report}");
    overwrite(&folder.file(), 0, &[0; 2048]);
    let report = repair(&folder.file()).unwrap();
    assert_eq!((report.pending, report.lost), (11, Some(0)));
    expect_delivered(&folder.file(), &report);
}

#[test]
fn what_was_delivered_is_not_delivered_again_from_an_older_page() {
    let mut filled = Filled::new("older");
    for number in 0..20 {
        filled.append(number % ORDERS, 300);
    }
    filled.store = None;
    filled.store = Some(open(&filled.folder));
    for _ in 0..10 {
        filled.settle(true);
    }
    let folder = filled.killed(&["", "-wal", "-shm"]);
    // The newest image of a page with updates, so that only the main file's older one is left.
    let files = Files::open(&folder.file()).unwrap();
    let pages = files.pages(2048).unwrap();
    let all = Salvaged::read(&pages);
    let place = all.updates.values().map(|update| update.source.place);
    let Some(Place::Log(image)) = place
        .into_iter()
        .find(|place| matches!(place, Place::Log(_)))
    else {
        panic!("not in the log");
    };
    overwrite(
        &with_suffix(&folder.file(), "-wal"),
        image.offset + 1000,
        b"damage",
    );
    drop(files);
    let report = repair(&folder.file()).unwrap();
    for (id, (state, _)) in payloads(&folder.file()) {
        assert_eq!(filled.rows.get(&id), Some(&state), "{id} was delivered");
    }
    expect_delivered(&folder.file(), &report);
}

#[test]
fn an_index_or_a_counter_that_is_wrong_is_found_and_rebuilt() {
    let mut filled = Filled::fill("index", 60, 3);
    let changes = [
        "UPDATE books SET dead = dead + 1",
        "UPDATE lanes SET head = (SELECT max(id) FROM updates WHERE lane = lanes.lane)",
        "DELETE FROM lanes WHERE lane = 1",
        "UPDATE updates SET next = 1000000 WHERE next IS NULL",
    ];
    let folder = filled.closed();
    for change in changes {
        let copy = Folder::new("copy");
        fs::copy(folder.file(), copy.file()).unwrap();
        Connection::open(copy.file())
            .unwrap()
            .execute_batch(change)
            .unwrap();
        let report = repair(&copy.file()).unwrap();
        assert!(!report.was_sound, "{change}");
        assert_eq!(report.pending, filled.count(State::Pending));
        expect_delivered(&copy.file(), &report);
    }
    let root = Connection::open(folder.file())
        .unwrap()
        .query_row(
            "SELECT rootpage FROM sqlite_schema WHERE name = 'lanes_by_due'",
            [],
            |row| row.get::<_, i64>(0),
        )
        .unwrap();
    overwrite(&folder.file(), (count(root) - 1) * 2048 + 2040, &[0xff; 8]);
    assert!(!repair(&folder.file()).unwrap().was_sound);
    expect_sound(&folder.file());
}

#[test]
fn held_orders_stay_held_and_retries_are_remembered() {
    let mut filled = Filled::new("held");
    for number in 0..20 {
        filled.append(number % ORDERS, 10);
    }
    let connection = &filled.store.as_ref().unwrap().connection;
    connection
        .execute_batch(
            "UPDATE lanes SET due = 9223372036854775807 WHERE lane = 0;
                        UPDATE lanes SET failures = 5 WHERE lane = 1;
                        UPDATE books SET bytes = 1",
        )
        .unwrap();
    let folder = filled.closed();
    assert!(!repair(&folder.file()).unwrap().was_sound);
    let connection = Connection::open(folder.file()).unwrap();
    let sql =
        "SELECT group_concat(lane) FROM lanes WHERE due = 9223372036854775807 OR failures = 5";
    let lanes: String = connection.query_row(sql, [], |row| row.get(0)).unwrap();
    assert_eq!(lanes, "0,1");
}

#[test]
fn what_is_no_outbox_is_refused_and_stays_as_it_is() {
    let folder = Folder::new("foreign");
    let other = folder.0.join("other.db");
    Connection::open(&other)
        .unwrap()
        .execute_batch(
            "CREATE TABLE updates (id INTEGER PRIMARY KEY); INSERT INTO updates VALUES (1)",
        )
        .unwrap();
    let database = fs::read(other).unwrap();
    let mut zeroed = database.clone();
    zeroed[..100].fill(0);
    let mut noise = vec![0; 9000];
    fastrand::Rng::with_seed(4).fill(&mut noise);
    let contents = [
        b"order_id,status\n1,paid\n".to_vec(),
        Vec::new(),
        b"x".to_vec(),
        vec![0; 5000],
        noise,
        database,
        zeroed,
    ];
    for content in contents {
        let mut file = File::create(folder.file()).unwrap();
        file.write_all(&content).unwrap();
        let before = names(&folder);
        let error = repair(&folder.file()).unwrap_err();
        assert_eq!(
            error.code(),
            ErrorCode::OutboxForeign,
            "{} bytes",
            content.len()
        );
        assert_eq!(fs::read(folder.file()).unwrap(), content);
        assert_eq!(names(&folder), before);
    }
    assert_eq!(
        repair(&folder.0).unwrap_err().code(),
        ErrorCode::OutboxForeign
    );
    let missing = folder.0.join("missing.db");
    assert_eq!(
        repair(&missing).unwrap_err().code(),
        ErrorCode::OutboxFailed
    );
    assert!(!missing.exists());
}

#[test]
fn a_newer_or_used_outbox_is_refused() {
    let mut filled = Filled::fill("used", 20, 5);
    let error = repair(&filled.folder.file()).unwrap_err();
    assert_eq!(error.code(), ErrorCode::OutboxFailed);
    assert!(
        error.message().contains("in use by another process"),
        "{error}"
    );
    let folder = filled.closed();
    let connection = Connection::open(folder.file()).unwrap();
    connection.pragma_update(None, "user_version", 99).unwrap();
    drop(connection);
    assert_eq!(
        repair(&folder.file()).unwrap_err().code(),
        ErrorCode::OutboxNewer
    );
}

#[test]
fn what_an_ended_repair_left_is_not_taken_for_the_newest() {
    let mut filled = Filled::fill("old", 60, 7);
    let folder = filled.closed();
    // As a kill right before its last step leaves it.
    let ready = with_suffix(&folder.file(), ".repair-1");
    fs::copy(folder.file(), &ready).unwrap();
    filled.store = Some(open(&filled.folder));
    for number in 0..40 {
        filled.append(number % ORDERS, 200);
    }
    let newer = filled.closed();
    fs::copy(newer.file(), folder.file()).unwrap();
    overwrite(&folder.file(), 0, &[0; 2048]);
    let report = repair(&folder.file()).unwrap();
    assert_eq!(report.pending, filled.count(State::Pending));
    assert!(!ready.exists());
    expect_delivered(&folder.file(), &report);
}

#[test]
fn a_journal_is_not_played_back_into_the_repaired_file() {
    let mut filled = Filled::fill("journal", 30, 8);
    let folder = filled.closed();
    let connection = Connection::open(folder.file()).unwrap();
    connection
        .execute_batch(
            "PRAGMA journal_mode = DELETE; BEGIN; DELETE FROM updates; DELETE FROM lanes",
        )
        .unwrap();
    let journal = fs::read(with_suffix(&folder.file(), "-journal")).unwrap();
    drop(connection);
    fs::write(with_suffix(&folder.file(), "-journal"), journal).unwrap();
    overwrite(&folder.file(), 0, &[0; 2048]);
    let report = repair(&folder.file()).unwrap();
    assert_eq!(report.pending, filled.count(State::Pending));
    assert!(!names(&folder).contains(&"outbox.db-journal".to_owned()));
    expect_delivered(&folder.file(), &report);
}

/// The files that are there, and what happens to them.
type Harmed<'a> = (&'a [&'a str], fn(&Path));

/// Ends the repair after each of its steps, as a kill would, and repairs again.
#[test]
fn a_repair_that_is_killed_at_any_step_loses_nothing() {
    let filled = Filled::fill("steps", 120, 6);
    let harms: [Harmed<'_>; 3] = [
        (&["", "-wal", "-shm"], |path| overwrite(path, 0, &[0; 600])),
        (&["", "-wal"], |path| {
            overwrite(&with_suffix(path, "-wal"), 0, &[0; 32]);
        }),
        (&["-wal"], |_| {}),
    ];
    let mut kills = 0;
    for (suffixes, harm) in harms {
        let whole = filled.killed(suffixes);
        harm(&whole.file());
        repair(&whole.file()).unwrap();
        let expected = payloads(&whole.file());
        assert!(expected.len() > 20);
        for steps in 1.. {
            let folder = filled.killed(suffixes);
            harm(&folder.file());
            swap::STEPS_LEFT.set(steps);
            let killed = repair(&folder.file());
            swap::STEPS_LEFT.set(u32::MAX);
            if killed.is_ok() {
                break;
            }
            kills += 1;
            let report = repair(&folder.file()).unwrap();
            assert_eq!(payloads(&folder.file()), expected, "after {steps} steps");
            assert_eq!(report.numbers_continue_at, count(filled.accepted) + 1);
            assert!(!names(&folder).iter().any(|name| name.contains(".repair-")));
            expect_sound(&folder.file());
        }
    }
    assert!(kills > 20, "{kills}");
}
