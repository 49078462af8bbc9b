//! The outbox on a disk that is full, read-only or locked: calls fail, and no update is lost.
#![cfg(target_os = "linux")]

use katalys_core::{Client, Error, ErrorCode, Fields, Language};
use katalys_receiver::{Options, Receiver};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// A separate file system for one test.
struct Disk(PathBuf);

impl Disk {
    /// `None`, with a message, if this process cannot mount one.
    fn mount(name: &str, size: &str) -> Option<Self> {
        let path = std::env::temp_dir().join(format!("katalys-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        let disk = Self(path);
        if disk.run(
            "mount",
            &["-t", "tmpfs", "-o", &format!("size={size}"), "none"],
        ) {
            return Some(disk);
        }
        eprintln!("SKIPPED: no file system can be mounted here");
        None
    }

    fn run(&self, program: &str, arguments: &[&str]) -> bool {
        let status = Command::new(program).args(arguments).arg(&self.0).status();
        status.is_ok_and(|status| status.success())
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        self.run("umount", &["-l"]);
        let _ = std::fs::remove_dir(&self.0);
    }
}

fn client(folder: &Path) -> Result<Client, Error> {
    let file = folder.join("outbox.db");
    let options = Fields::new()
        .set("site_id", "abcd.com")
        .set("endpoint", "http://127.0.0.1:9/")
        .set("outbox", file.to_str().unwrap().to_owned())
        .set("timeout", 15)
        .set("deliver", false);
    Client::with_options(Language::Rust, &options)
}

fn enqueue(client: &Client) -> Result<i64, Error> {
    let fields = Fields::new().set("note", "x".repeat(8_000));
    client
        .enqueue_update("1001", fields)
        .map(|ticket| ticket.id)
}

#[test]
fn a_full_disk_refuses_new_updates_and_keeps_its_own() {
    let Some(disk) = Disk::mount("full", "2m") else {
        return;
    };
    let client = client(&disk.0).expect("a client");
    let mut accepted = 0;
    let error = loop {
        match enqueue(&client) {
            Ok(id) => accepted = id,
            Err(error) => break error,
        }
    };
    assert_eq!(error.code(), ErrorCode::OutboxFailed);
    assert!(accepted > 10, "{accepted}: {error}");
    let stats = client.stats().expect("still readable");
    assert_eq!(
        (stats.accepted, stats.pending),
        (accepted.cast_unsigned(), accepted.cast_unsigned())
    );
    assert!(disk.run("mount", &["-o", "remount,size=16m"]));
    assert_eq!(enqueue(&client).expect("space again"), accepted + 1);
}

#[test]
fn a_full_disk_delivers_its_updates_and_then_accepts_again() {
    let Some(disk) = Disk::mount("drained", "4m") else {
        return;
    };
    let receiver = Receiver::start(&Options::default()).expect("a receiver");
    let url = format!("{}/run/d/204", receiver.ready()["url"].as_str().unwrap());
    let writer = client(&disk.0).expect("a client");
    while enqueue(&writer).is_ok() {}
    while std::fs::write(disk.0.join("filler"), vec![0; 4096]).is_ok()
        && std::fs::OpenOptions::new()
            .append(true)
            .open(disk.0.join("filler"))
            .and_then(|mut filler| filler.write_all(&vec![1; 1 << 22]))
            .is_ok()
    {}
    let accepted = writer.stats().unwrap().accepted;
    drop(writer);
    let file = disk.0.join("outbox.db");
    let options = Fields::new()
        .set("site_id", "abcd.com")
        .set("endpoint", url)
        .set("outbox", file.to_str().unwrap().to_owned());
    let sender = Client::with_options(Language::Rust, &options).expect("a client");
    assert_eq!(sender.flush(Duration::from_secs(60)).unwrap(), 0);
    let stats = sender.stats().unwrap();
    assert_eq!((stats.accepted, stats.delivered), (accepted, accepted));
    std::fs::remove_file(disk.0.join("filler")).unwrap();
    let deadline = Instant::now() + Duration::from_secs(10);
    while let Err(error) = enqueue(&sender) {
        assert!(Instant::now() < deadline, "{error}");
        std::thread::sleep(Duration::from_millis(50));
    }
    sender.close(Duration::from_secs(5)).expect("closed");
}

#[test]
fn a_read_only_disk_refuses() {
    let Some(disk) = Disk::mount("readonly", "4m") else {
        return;
    };
    enqueue(&client(&disk.0).expect("a client")).expect("accepted");
    let view = disk.0.with_extension("view");
    std::fs::create_dir_all(&view).unwrap();
    let view = Disk(view);
    assert!(view.run("mount", &["--bind", "-o", "ro", disk.0.to_str().unwrap()]));
    let error = client(&view.0)
        .and_then(|client| enqueue(&client))
        .unwrap_err();
    assert_eq!(error.code(), ErrorCode::OutboxFailed, "{error}");
    drop(view);
    assert_eq!(client(&disk.0).unwrap().stats().unwrap().accepted, 1);
}

#[test]
fn an_enqueue_waits_while_another_process_locks_the_file() {
    let folder = std::env::temp_dir().join(format!("katalys-{}-locked", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let client = client(&folder).expect("a client");
    enqueue(&client).expect("accepted");
    let script = "import sqlite3, sys, time\n\
        c = sqlite3.connect(sys.argv[1], isolation_level=None)\n\
        c.execute('BEGIN IMMEDIATE'); print('locked', flush=True); time.sleep(10)";
    let child = Command::new("python3")
        .args(["-c", script])
        .arg(folder.join("outbox.db"))
        .stdout(Stdio::piped())
        .spawn();
    let Ok(mut child) = child else {
        return eprintln!("SKIPPED: there is no Python to lock the file");
    };
    // Kept open, since a closed pipe would end the child.
    let mut output = child.stdout.take().unwrap();
    output.read_exact(&mut [0; 6]).expect("locked");
    let started = Instant::now();
    assert_eq!(
        enqueue(&client).expect("accepted once the lock is released"),
        2
    );
    assert!(started.elapsed() > Duration::from_secs(8));
    child.wait().unwrap();
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn another_file_is_refused_and_unchanged() {
    let folder = std::env::temp_dir().join(format!("katalys-{}-other", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let text = "DATABASE_PASSWORD=hunter2";
    std::fs::write(folder.join("outbox.db"), text).unwrap();
    assert_eq!(
        client(&folder).unwrap_err().code(),
        ErrorCode::OutboxForeign
    );
    assert_eq!(
        std::fs::read_to_string(folder.join("outbox.db")).unwrap(),
        text
    );
    assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 1);
    std::fs::remove_dir_all(folder).unwrap();
}
