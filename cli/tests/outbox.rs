//! `outbox` on a file with dead letters, and `relay` as a service.

mod support;

use katalys_core::{Client, Fields, Language};
use serde_json::Value;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use support::{
    Folder, Ran, endpoint, get, katalys, ready, received, receiver, requests, run, signal, text,
    until,
};

/// An outbox with so many updates that wait.
fn filled(path: &Path, count: u32) -> Client {
    let options = Fields::new()
        .set("site_id", "abcd.com")
        .set("outbox", text(path).to_owned())
        .set("deliver", false);
    let client = Client::with_options(Language::Rust, &options).expect("a client");
    for number in 1..=count {
        let fields = Fields::new()
            .set("order_count", number)
            .set("email_address", "a@example.com");
        client
            .enqueue_update(format!("order-{number}"), fields)
            .expect("accepted");
    }
    client
}

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
    let user = filled(&path, 5); // stays open beside the command
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
    let books = status(&path);
    assert_eq!(
        (&books["delivered"], &books["dead"], &books["pending"]),
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
    let books = status(&path);
    assert_eq!(
        (&books["delivered"], &books["dead"], &books["discarded"]),
        (&4.into(), &0.into(), &1.into())
    );
    assert_eq!(user.stats().expect("stats").delivered, 4);
}

#[test]
fn what_is_not_there_is_not_made() {
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
    let left = std::fs::read_dir(folder.path(""))
        .expect("a folder")
        .count();
    assert_eq!(left, 0, "a command that reads creates nothing");
    let foreign = folder.write(
        "foreign.db",
        "this is no database, and it is not to be touched either",
    );
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
}

/// Every file of a folder, with its content, rights and time of change.
fn everything(folder: &Path) -> Vec<(PathBuf, Vec<u8>, std::fs::Metadata)> {
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
    let client = filled(&path, 3);
    client.close(Duration::ZERO).expect("closed");
    drop(client);
    let alone = folder.path("alone");
    std::fs::create_dir(&alone).expect("a folder");
    // An outbox at rest; one that a killed process left behind with its log; and files of others.
    std::fs::rename(&path, alone.join("rest.db")).expect("moved");
    let left = filled(&alone.join("left.db"), 2);
    let copies = [("left.db", "killed.db"), ("left.db-wal", "killed.db-wal")];
    for (from, to) in copies {
        std::fs::copy(alone.join(from), alone.join(to)).expect("copied");
    }
    drop(left);
    std::fs::write(alone.join("orders.csv"), "order_id\n1\n").expect("written");
    std::fs::write(
        alone.join("other.db"),
        b"SQLite format 3\0and nothing behind it",
    )
    .expect("written");
    std::fs::write(alone.join("empty.db"), b"").expect("written");
    let before = everything(&alone);
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
    let after = everything(&alone);
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
    // What a killed process left in its log counts, and stays there.
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
    assert!(was == is, "the log was moved into the file");
}

/// A relay that has said that it started, and where its metrics are.
fn relay(arguments: &[&str]) -> (Child, BufReader<std::process::ChildStderr>, String) {
    let arguments = [&["relay", "--json", "--metrics", "127.0.0.1:0"], arguments].concat();
    let mut child = katalys(&arguments)
        .stderr(Stdio::piped())
        .spawn()
        .expect("it runs");
    let mut log = BufReader::new(child.stderr.take().expect("stderr"));
    // Delivery begins at once, and what it logs may come first; every line is JSON.
    let mut entry = Value::Null;
    while entry["event"] != "started" {
        let mut line = String::new();
        log.read_line(&mut line).expect("a line");
        entry = serde_json::from_str(&line).expect("JSON");
    }
    let address = entry["metrics"].as_str().expect("an address").to_owned();
    (child, log, address)
}

#[test]
fn a_relay_delivers_tells_how_it_is_and_stops_between_updates() {
    let (folder, receiver) = (Folder::new("relay"), receiver());
    let path = folder.path("katalys.db");
    let user = filled(&path, 3);
    let url = endpoint(&receiver, "r/204/422/slow=400");
    let options = [
        "--outbox",
        text(&path),
        "--endpoint",
        &url,
        "--workers",
        "1",
    ];
    let (child, log, address) = relay(&options);
    until("the first are delivered", || {
        user.stats().is_ok_and(|stats| stats.pending == 0)
    });
    let (health, body) = get(&address, "/health");
    assert_eq!(health, 200, "{body}");
    let (_, metrics) = get(&address, "/metrics");
    for line in [
        "katalys_outbox_up 1",
        "katalys_outbox_dead 1",
        "katalys_outbox_delivered_total 2",
    ] {
        assert!(
            metrics.lines().any(|one| one == line),
            "{line} is not in {metrics}"
        );
    }
    assert_eq!(get(&address, "/elsewhere").0, 404);
    user.enqueue_update("order-4", Fields::new().set("order_count", 4))
        .expect("accepted");
    requests(&receiver, "r", 4);
    signal(&child, "TERM");
    let log: Vec<String> = log.lines().map(|line| line.expect("a line")).collect();
    let ended = Ran::of(&child.wait_with_output().expect("it ends"));
    ended.expect(0);
    assert_eq!(
        user.stats().unwrap().delivered,
        3,
        "what was on its way came to its end"
    );
    assert!(
        log.iter()
            .any(|line| line.contains("dead_lettered") && line.contains("422")),
        "{log:?}"
    );
    assert!(
        log.iter().any(|line| line.contains("\"stopped\"")),
        "{log:?}"
    );
    assert!(
        !log.iter()
            .any(|line| line.contains("order-") || line.contains('@')),
        "{log:?}"
    );
}

#[test]
fn a_relay_is_not_healthy_while_updates_wait_for_too_long() {
    let (folder, receiver) = (Folder::new("unhealthy"), receiver());
    let path = folder.path("katalys.db");
    let _user = filled(&path, 2);
    let down = format!("{}/", ready(&receiver, "refused"));
    let (mut child, _log, address) =
        relay(&[text(&path), "--endpoint", &down, "--max-wait", "0.2"]);
    until("it is not healthy", || get(&address, "/health").0 == 503);
    let (_, body) = get(&address, "/health");
    assert!(body.contains("oldest_pending"), "{body}");
    signal(&child, "INT");
    assert_eq!(child.wait().expect("it ends").code(), Some(0));
    run(&["relay", text(&path), "--metrics", "0.0.0.0:0"]).expect(2);
    run(&["relay"]).expect(2);
}

/// Clients that send a byte now and then, or nothing, do not keep others from their answers.
#[test]
fn a_dripping_client_does_not_block_health() {
    let (folder, receiver) = (Folder::new("dripping"), receiver());
    let path = folder.path("katalys.db");
    let _user = filled(&path, 1);
    let url = endpoint(&receiver, "d/204");
    let (mut child, _log, address) = relay(&[text(&path), "--endpoint", &url]);
    let host = address.trim_start_matches("http://").to_owned();
    let is_done = Arc::new(AtomicBool::new(false));
    let drip = || {
        let mut stream = TcpStream::connect(&host).expect("connected");
        let is_done = Arc::clone(&is_done);
        std::thread::spawn(move || {
            let started = Instant::now();
            while !is_done.load(Ordering::Relaxed) && stream.write_all(b"G").is_ok() {
                std::thread::sleep(Duration::from_millis(100));
            }
            started.elapsed()
        })
    };
    let dripping: Vec<_> = (0..20).map(|_| drip()).collect();
    for path in ["/health", "/metrics"] {
        let started = Instant::now();
        assert_eq!(get(&address, path).0, 200);
        assert!(
            started.elapsed() < Duration::from_secs(20),
            "{:?}",
            started.elapsed()
        );
    }
    // Each is cut off, although its bytes keep coming.
    until("none is served any more", || {
        dripping.iter().all(std::thread::JoinHandle::is_finished)
    });
    is_done.store(true, Ordering::Relaxed);
    signal(&child, "TERM");
    assert_eq!(child.wait().expect("it ends").code(), Some(0));
}

/// The relay says what is wrong with the file, in `/health` and once in its log, and recovers by a
/// restart.
#[test]
fn a_relay_is_not_healthy_when_its_file_is_moved() {
    let (folder, receiver) = (Folder::new("moved"), receiver());
    let path = folder.path("katalys.db");
    drop(filled(&path, 1));
    let url = endpoint(&receiver, "m/204");
    let (mut child, log, address) = relay(&[text(&path), "--endpoint", &url, "--grace", "1"]);
    until("it is healthy", || get(&address, "/health").0 == 200);
    std::fs::rename(&path, folder.path("elsewhere.db")).expect("moved");
    until("it is not healthy", || get(&address, "/health").0 == 503);
    let (_, body) = get(&address, "/health");
    let health: Value = serde_json::from_str(&body).expect("JSON");
    assert_eq!(health["reason"], "outbox_moved", "{body}");
    assert!(
        health["message"]
            .as_str()
            .is_some_and(|text| text.contains("katalys.db")),
        "{body}"
    );
    assert!(
        get(&address, "/metrics")
            .1
            .contains("\nkatalys_outbox_up 0\n")
    );
    let failing = |line: &String| line.contains("outbox_failing") && line.contains("outbox_moved");
    let mut lines = log.lines().map(|line| line.expect("a line"));
    assert!(lines.any(|line| failing(&line)));
    signal(&child, "TERM");
    child.wait().expect("it ends");
    assert!(!path.exists(), "nothing takes its place");
    let again = lines.filter(failing).count();
    assert_eq!(again, 0, "once is enough");
}

/// Before anything is opened or sent: a mistyped one is not found out when the relay stops.
#[test]
fn a_timeout_is_a_finite_number_of_seconds() {
    let folder = Folder::new("timeouts");
    let path = folder.path("katalys.db");
    for wrong in ["nan", "inf", "-1", "1e300", "31622401", "soon", ""] {
        for (command, option) in [
            (&["relay"][..], "--grace"),
            (&["relay"], "--max-wait"),
            (&["outbox", text(&path), "flush"], "--wait"),
        ] {
            let ran = run(&[command, &[&format!("{option}={wrong}")]].concat()).expect(2);
            assert!(ran.err.contains(option), "{}", ran.err);
            assert!(ran.err.contains("31622400 (366 days)"), "{}", ran.err);
        }
    }
    assert!(!path.exists());
}

/// Data that would steer a terminal is shown, and not obeyed.
#[test]
fn nothing_raw_reaches_a_terminal() {
    let folder = Folder::new("raw");
    let path = folder.path("katalys.db");
    let client = filled(&path, 0);
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
    // The JSON says the same as before.
    let exported = run(&["outbox", file, "export"]).expect(0).json();
    assert_eq!(exported["payload"]["order_id"], order);
    assert_eq!(exported["payload"]["note"], "x\u{2066}y\u{200f}");
    let ran = run(&["validate", "no\u{202e}file.csv"]).expect(2);
    assert!(!ran.err.contains(letters), "{ran:?}");
}

#[cfg(target_os = "linux")]
#[test]
fn systemd_is_told() {
    use std::os::unix::net::UnixDatagram;
    let (folder, receiver) = (Folder::new("systemd"), receiver());
    let path = folder.path("katalys.db");
    let _user = filled(&path, 1);
    let socket = UnixDatagram::bind(folder.path("notify")).expect("a socket");
    socket.set_read_timeout(Some(support::LONG)).expect("set");
    let url = endpoint(&receiver, "n/204");
    let mut child = katalys(&["relay", text(&path), "--endpoint", &url])
        .env("NOTIFY_SOCKET", folder.path("notify"))
        .spawn()
        .expect("it runs");
    let hear = || {
        let mut words = [0; 64];
        let size = socket.recv(&mut words).expect("a word");
        String::from_utf8_lossy(&words[..size]).into_owned()
    };
    assert_eq!(hear(), "READY=1");
    assert_eq!(hear(), "WATCHDOG=1");
    signal(&child, "TERM");
    while hear() != "STOPPING=1" {}
    assert_eq!(child.wait().expect("it ends").code(), Some(0));
}

#[test]
fn a_damaged_outbox_is_repaired_once_no_process_uses_it() {
    let folder = Folder::new("repair");
    let path = folder.path("katalys.db");
    let file = text(&path);
    let user = filled(&path, 30);
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
    // Without its end, updates are missing, which the counters say.
    let length = std::fs::metadata(&path).expect("there").len();
    let cut = std::fs::OpenOptions::new().write(true).open(&path);
    cut.and_then(|file| file.set_len(length - 4096))
        .expect("cut");
    let told = run(&["outbox", file, "repair"]).expect(5);
    assert!(told.out.contains("\nlost: "), "{told:?}");
    let books = status(&path);
    assert_eq!(books["accepted"], 30);
    assert!(books["discarded"].as_u64() > Some(0), "{books}");
    let csv = folder.write("orders.csv", "order_id\n1\n");
    run(&["outbox", text(&csv), "repair"]).expect(4);
    assert_eq!(std::fs::read(csv).expect("there"), b"order_id\n1\n");
}
