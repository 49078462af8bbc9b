//! `relay` as a service: delivery, health, metrics, signals and systemd.

mod support;

use katalys_core::Fields;
use serde_json::Value;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::process::{Child, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use support::{
    Folder, Ran, endpoint, filled_outbox, get, katalys, ready, receiver, requests, run, signal,
    text, until,
};

/// Starts a relay and waits until it has started; returns its process, its log and its address.
fn relay(arguments: &[&str]) -> (Child, BufReader<std::process::ChildStderr>, String) {
    let arguments = [&["relay", "--json", "--metrics", "127.0.0.1:0"], arguments].concat();
    let mut child = katalys(&arguments)
        .stderr(Stdio::piped())
        .spawn()
        .expect("it runs");
    let mut log = BufReader::new(child.stderr.take().expect("stderr"));
    // Delivery begins at once, so its log lines may come first; every line is JSON.
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
fn it_delivers_serves_its_health_and_finishes_updates_in_flight() {
    let (folder, receiver) = (Folder::new("relay"), receiver());
    let path = folder.path("katalys.db");
    let user = filled_outbox(&path, 3);
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
        "the update in flight was delivered"
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
fn health_fails_while_an_update_is_pending_for_too_long() {
    let (folder, receiver) = (Folder::new("unhealthy"), receiver());
    let path = folder.path("katalys.db");
    let _user = filled_outbox(&path, 2);
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

/// Clients that send their requests very slowly do not delay other clients.
#[test]
fn slow_clients_do_not_block_health() {
    let (folder, receiver) = (Folder::new("dripping"), receiver());
    let path = folder.path("katalys.db");
    let _user = filled_outbox(&path, 1);
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
    // Each connection is closed at its deadline, although bytes keep arriving.
    until("all slow connections are closed", || {
        dripping.iter().all(std::thread::JoinHandle::is_finished)
    });
    is_done.store(true, Ordering::Relaxed);
    signal(&child, "TERM");
    assert_eq!(child.wait().expect("it ends").code(), Some(0));
}

/// The relay reports a moved file in `/health`, and once in its log.
#[test]
fn health_fails_when_the_outbox_is_moved() {
    let (folder, receiver) = (Folder::new("moved"), receiver());
    let path = folder.path("katalys.db");
    drop(filled_outbox(&path, 1));
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
    assert!(!path.exists(), "no new file was created");
    let again = lines.filter(failing).count();
    assert_eq!(again, 0, "it is logged once");
}

#[cfg(target_os = "linux")]
#[test]
fn systemd_is_notified() {
    use std::os::unix::net::UnixDatagram;
    let (folder, receiver) = (Folder::new("systemd"), receiver());
    let path = folder.path("katalys.db");
    let _user = filled_outbox(&path, 1);
    let socket = UnixDatagram::bind(folder.path("notify")).expect("a socket");
    socket.set_read_timeout(Some(support::LONG)).expect("set");
    let url = endpoint(&receiver, "n/204");
    let mut child = katalys(&["relay", text(&path), "--endpoint", &url])
        .env("NOTIFY_SOCKET", folder.path("notify"))
        .spawn()
        .expect("it runs");
    let notification = || {
        let mut state = [0; 64];
        let size = socket.recv(&mut state).expect("a notification");
        String::from_utf8_lossy(&state[..size]).into_owned()
    };
    assert_eq!(notification(), "READY=1");
    assert_eq!(notification(), "WATCHDOG=1");
    signal(&child, "TERM");
    while notification() != "STOPPING=1" {}
    assert_eq!(child.wait().expect("it ends").code(), Some(0));
}

#[test]
fn durations_are_checked_at_start() {
    let folder = Folder::new("durations");
    let path = folder.path("katalys.db");
    for wrong in ["nan", "inf", "-1", "1e300", "31622401", "soon", ""] {
        for option in ["--grace", "--max-wait"] {
            let ran = run(&["relay", text(&path), option, wrong]).expect(2);
            assert!(ran.err.contains(option), "{option} {wrong}: {ran:?}");
            assert!(ran.err.contains("31622400 (366 days)"), "{ran:?}");
        }
        for option in ["--timeout", "--connect-timeout"] {
            let ran = run(&["relay", text(&path), option, wrong]).expect(2);
            assert!(ran.err.contains(option), "{option} {wrong}: {ran:?}");
        }
    }
    assert!(!path.exists(), "no file is created");
}
