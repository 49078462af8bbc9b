//! `outbox` on files with pending updates and dead letters, and on damaged ones.

mod support;

use katalys_core::Fields;
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::time::Duration;
use support::{Folder, Ran, endpoint, filled_outbox, katalys, received, receiver, run, text};

fn status(path: &Path) -> Value {
    run(&["outbox", text(path), "status", "--json"])
        .expect(0)
        .json()
}

fn lines(ran: &Ran) -> Vec<Value> {
    ran.out
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect()
}

#[test]
fn dead_letters_are_listed_shown_edited_replayed_and_discarded() {
    let (folder, receiver) = (Folder::new("outbox"), receiver());
    let path = folder.path("katalys.db");
    let file = text(&path);
    let user = filled_outbox(&path, 5); // stays open meanwhile
    let flush = |steps: &str| {
        let url = endpoint(&receiver, steps);
        run(&[
            "outbox",
            file,
            "flush",
            "--endpoint",
            &url,
            "--workers",
            "1",
        ])
    };
    flush("x/422/422/422/204").expect(0);
    let counters = status(&path);
    assert_eq!(
        (
            &counters["delivered"],
            &counters["dead"],
            &counters["pending"]
        ),
        (&2.into(), &3.into(), &0.into())
    );
    let mut without_site = katalys(&["outbox", file, "list", "--json"]);
    let listed = Ran::of(
        &without_site
            .env_remove("KATALYS_SITE_ID")
            .output()
            .expect("it runs"),
    );
    assert_eq!(lines(&listed.expect(0)).len(), 3);
    let listed = run(&["outbox", file, "list"]).expect(0);
    assert!(
        listed.out.contains("422") && !listed.out.contains("order-") && !listed.out.contains('@')
    );
    let listed =
        lines(&run(&["outbox", file, "list", "dead", "--show-orders", "--json"]).expect(0));
    let ids: Vec<String> = listed.iter().map(|line| line["id"].to_string()).collect();
    assert!(
        listed[0]["order_id"]
            .as_str()
            .unwrap()
            .starts_with("order-")
    );
    let shown = run(&["outbox", file, "show", &ids[0]]).expect(0);
    assert!(
        shown.out.contains("\"email_address\": \"a@example.com\""),
        "{shown:?}"
    );
    let wrong = run(&["outbox", file, "edit", &ids[0], "currency=dollar"]).expect(1);
    assert!(wrong.err.contains("currency is not"), "{wrong:?}");
    run(&[
        "outbox",
        file,
        "edit",
        &ids[0],
        "currency=EUR",
        "email_address=",
        "--replay",
    ])
    .expect(0);
    run(&["outbox", file, "replay", &ids[1]]).expect(0);
    run(&["outbox", file, "replay", &ids[1], "999999"]).expect(1);
    let exported = lines(&run(&["outbox", file, "export"]).expect(0));
    let states: Vec<&str> = exported
        .iter()
        .map(|line| line["state"].as_str().unwrap())
        .collect();
    assert_eq!(states, ["dead", "pending", "pending"]);
    assert!(
        exported
            .iter()
            .all(|line| line["payload"]["order_id"].is_string())
    );
    run(&["outbox", file, "discard", "--all"]).expect(0);
    flush("y/204").expect(0);
    let bodies = received(&receiver, "y");
    let edited = bodies
        .iter()
        .find(|body| body["currency"] == "EUR")
        .expect("the edited one");
    assert!(edited.get("email_address").is_none() && bodies.len() == 2);
    let counters = status(&path);
    assert_eq!(
        (
            &counters["delivered"],
            &counters["dead"],
            &counters["discarded"]
        ),
        (&4.into(), &0.into(), &1.into())
    );
    assert_eq!(user.stats().expect("stats").delivered, 4);
}

#[test]
fn a_missing_file_is_not_created() {
    let folder = Folder::new("absent");
    let path = folder.path("katalys.db");
    for action in ["status", "list", "export", "flush"] {
        let ran = run(&["outbox", text(&path), action]).expect(4);
        assert!(ran.err.contains("does not exist"), "{ran:?}");
    }
    run(&["outbox", text(&path), "show", "1"]).expect(4);
    let elsewhere = folder.path("no/folder/katalys.db");
    run(&["outbox", text(&elsewhere), "status"]).expect(4);
    let ran = run(&["outbox", text(&folder.path("")), "status"]).expect(4);
    assert!(ran.err.contains("is a directory"), "{ran:?}");
    let created = std::fs::read_dir(folder.path(""))
        .expect("a folder")
        .count();
    assert_eq!(created, 0, "no file was created");
    let foreign = folder.write("foreign.db", "this is no database, and must not be changed");
    run(&[
        "doctor",
        "--endpoint",
        "http://127.0.0.1:9/",
        "--outbox",
        text(&foreign),
    ])
    .expect(1);
    assert!(foreign.exists());
    run(&["outbox", text(&path), "replay"]).expect(2);
    for wrong in ["nan", "-1", "1e99"] {
        run(&["outbox", text(&path), "flush", "--wait", wrong]).expect(2);
    }
}

/// Every file of a folder, with its content, permissions and modification time.
fn snapshot(folder: &Path) -> Vec<(PathBuf, Vec<u8>, std::fs::Metadata)> {
    let entries = std::fs::read_dir(folder).expect("a folder");
    let mut files: Vec<_> = entries
        .map(|entry| entry.expect("an entry").path())
        .collect();
    files.sort();
    let state = |path: PathBuf| {
        let metadata = std::fs::metadata(&path).expect("a file");
        (path.clone(), std::fs::read(path).expect("read"), metadata)
    };
    files.into_iter().map(state).collect()
}

#[test]
fn commands_that_only_read_change_nothing() {
    let folder = Folder::new("read-only");
    let path = folder.path("katalys.db");
    let client = filled_outbox(&path, 3);
    client.close(Duration::ZERO).expect("closed");
    drop(client);
    let alone = folder.path("alone");
    std::fs::create_dir(&alone).expect("a folder");
    // A closed outbox, one that a killed process left with its log, and other files.
    std::fs::rename(&path, alone.join("rest.db")).expect("moved");
    let left = filled_outbox(&alone.join("left.db"), 2);
    let copies = [("left.db", "killed.db"), ("left.db-wal", "killed.db-wal")];
    for (from, to) in copies {
        std::fs::copy(alone.join(from), alone.join(to)).expect("copied");
    }
    drop(left);
    std::fs::write(alone.join("orders.csv"), "order_id\n1\n").expect("written");
    std::fs::write(alone.join("other.db"), b"SQLite format 3\0and nothing else").expect("written");
    std::fs::write(alone.join("empty.db"), b"").expect("written");
    let before = snapshot(&alone);
    for (name, exit) in [
        ("rest.db", 0),
        ("left.db", 0),
        ("orders.csv", 4),
        ("other.db", 4),
        ("empty.db", 4),
    ] {
        let file = alone.join(name);
        for action in [&["status"][..], &["list"], &["export"], &["show", "1"]] {
            let ran = run(&[&["outbox", text(&file)], action].concat());
            assert_eq!(ran.exit, Some(exit), "{name} {action:?}: {ran:?}");
        }
        let doctor = [
            "doctor",
            "--endpoint",
            "http://127.0.0.1:9/",
            "--outbox",
            text(&file),
        ];
        run(&doctor).expect(1); // There is no endpoint.
    }
    let after = snapshot(&alone);
    let names = |files: &[(PathBuf, Vec<u8>, std::fs::Metadata)]| {
        files
            .iter()
            .map(|(path, ..)| path.clone())
            .collect::<Vec<_>>()
    };
    assert_eq!(
        names(&after),
        names(&before),
        "no file is created or renamed"
    );
    for ((path, old, was), (_, new, is)) in before.iter().zip(&after) {
        assert!(old == new, "{} has another content", path.display());
        assert_eq!(
            was.modified().ok(),
            is.modified().ok(),
            "{}",
            path.display()
        );
        assert_eq!(was.permissions(), is.permissions(), "{}", path.display());
    }
    // Updates in the log of a killed process are counted, and the log is not changed.
    let (file, log) = (alone.join("killed.db"), alone.join("killed.db-wal"));
    let was = (
        std::fs::read(&file).expect("read"),
        std::fs::read(&log).expect("read"),
    );
    assert_eq!(status(&file)["pending"], 2);
    let is = (
        std::fs::read(&file).expect("read"),
        std::fs::read(&log).expect("read"),
    );
    assert!(was == is, "the file or its log was changed");
}

/// Control characters in data are escaped.
#[test]
fn no_control_character_reaches_a_terminal() {
    let folder = Folder::new("raw");
    let path = folder.path("katalys.db");
    let client = filled_outbox(&path, 0);
    let order = "a\u{202e}b\nc";
    let fields = Fields::new()
        .set("note", "x\u{2066}y\u{200f}")
        .set("shipping_city", "Zürich");
    client.enqueue_update(order, fields).expect("accepted");
    let file = text(&path);
    let letters = ['\u{202e}', '\u{2066}', '\u{200f}'];
    for arguments in [
        &["outbox", file, "list", "--show-orders"][..],
        &["outbox", file, "list", "--show-orders", "--json"],
        &["outbox", file, "show", "1"],
        &["outbox", file, "export"],
    ] {
        let ran = run(arguments).expect(0);
        assert!(!ran.out.contains(letters), "{ran:?}");
    }
    let listed = run(&["outbox", file, "list", "--show-orders"])
        .expect(0)
        .out;
    assert!(listed.ends_with("a\\u{202e}b\\nc\n"), "{listed}");
    // The value of the JSON is unchanged.
    let exported = run(&["outbox", file, "export"]).expect(0).json();
    assert_eq!(exported["payload"]["order_id"], order);
    assert_eq!(exported["payload"]["note"], "x\u{2066}y\u{200f}");
    let ran = run(&["validate", "no\u{202e}file.csv"]).expect(2);
    assert!(!ran.err.contains(letters), "{ran:?}");
}

#[test]
fn a_damaged_outbox_is_repaired_once_no_process_uses_it() {
    let folder = Folder::new("repair");
    let path = folder.path("katalys.db");
    let file = text(&path);
    let user = filled_outbox(&path, 30);
    let repair = || run(&["outbox", file, "repair", "--json"]);
    let refused = repair().expect(4);
    assert!(
        refused.out.contains("in use by another process"),
        "{refused:?}"
    );
    drop(user);
    assert_eq!(repair().expect(0).json()["sound"], true);
    let mut bytes = std::fs::read(&path).expect("read");
    bytes[..2048].fill(0);
    std::fs::write(&path, &bytes).expect("written");
    let report = repair().expect(0).json();
    assert_eq!(
        (&report["pending"], &report["lost"]),
        (&30.into(), &0.into())
    );
    assert_eq!(report["numbers_continue_at"], 31);
    let copy = report["damaged_copy"].as_str().expect("a copy");
    assert_eq!(std::fs::read(copy).expect("the copy"), bytes);
    assert_eq!(status(&path)["pending"], 30);
    // A truncated file lacks updates, which the counters show.
    let length = std::fs::metadata(&path).expect("there").len();
    let cut = std::fs::OpenOptions::new().write(true).open(&path);
    cut.and_then(|file| file.set_len(length - 4096))
        .expect("cut");
    let repaired = run(&["outbox", file, "repair"]).expect(5);
    assert!(repaired.out.contains("\nlost: "), "{repaired:?}");
    let counters = status(&path);
    assert_eq!(counters["accepted"], 30);
    assert!(counters["discarded"].as_u64() > Some(0), "{counters}");
    let csv = folder.write("orders.csv", "order_id\n1\n");
    run(&["outbox", text(&csv), "repair"]).expect(4);
    assert_eq!(std::fs::read(csv).expect("there"), b"order_id\n1\n");
}
