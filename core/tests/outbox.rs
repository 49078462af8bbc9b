//! The outbox as a caller sees it: what was accepted arrives, in order, whatever happens.

use katalys_core::bridge::Bridge as _;
use katalys_core::{Client, ErrorCode, ErrorKind, Fields, Language};
use katalys_receiver::{Options, Receiver};
use std::collections::HashMap;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("katalys-{}-{name}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir(&path).expect("a folder");
        Self(path)
    }

    fn file(&self) -> String {
        self.0.join("outbox.db").to_str().expect("UTF-8").to_owned()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn options(file: &str, endpoint: &str) -> Fields<'static> {
    Fields::new()
        .set("site_id", "abcd.com")
        .set("endpoint", endpoint.to_owned())
        .set("outbox", file.to_owned())
        .set("workers", 4)
}

fn client(options: &Fields<'_>) -> Client {
    Client::with_options(Language::Rust, options).expect("a client")
}

fn endpoint(receiver: &Receiver, steps: &str) -> String {
    format!(
        "{}/run/{steps}",
        receiver.ready()["url"].as_str().expect("a URL")
    )
}

/// Everything that came in under this run.
fn requests(receiver: &Receiver, run: &str) -> Vec<serde_json::Value> {
    let address = receiver.ready()["control"].as_str().expect("control");
    let mut stream = TcpStream::connect(address.trim_start_matches("http://")).expect("connected");
    write!(
        stream,
        "GET /_recorded/{run} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    let (_, body) = answer.split_once("\r\n\r\n").expect("a body");
    serde_json::from_str(body).expect("JSON")
}

/// Order id and count of each update that was answered with 204, or at least read.
fn received(receiver: &Receiver, run: &str) -> Vec<(String, u64)> {
    let records = requests(receiver, run);
    let is_answered = |step: &str| step == "204" || step.starts_with("slow=");
    let answered = records
        .iter()
        .filter(|record| record["step"].as_str().is_some_and(is_answered));
    let parsed = answered.map(|record| {
        let body = record["body"].as_str().expect("a body");
        let body: serde_json::Value = serde_json::from_str(body).expect("JSON");
        let order = body["order_id"].as_str().expect("an order").to_owned();
        (order, body["order_count"].as_u64().expect("a count"))
    });
    parsed.collect()
}

fn count(number: u32) -> Fields<'static> {
    Fields::new().set("order_count", number)
}

const LONG: Duration = Duration::from_secs(60);

#[test]
fn what_is_accepted_arrives_in_order_through_faults() {
    let (folder, receiver) = (Folder::new("faults"), receiver());
    let url = endpoint(&receiver, "a/503/204/reset-after/204/close/200/204");
    let client = client(&options(&folder.file(), &url));
    for number in 1..=20 {
        for order in ["1001", "1002"] {
            client
                .enqueue_update(order, count(number))
                .expect("accepted");
        }
    }
    assert_eq!(client.flush(LONG).unwrap(), 0);
    let arrived = received(&receiver, "a");
    for order in ["1001", "1002"] {
        let of_order = arrived.iter().filter(|(id, _)| id == order);
        assert_eq!(
            of_order.map(|(_, n)| *n).collect::<Vec<_>>(),
            (1..=20).collect::<Vec<_>>()
        );
    }
    let stats = client.stats().unwrap();
    assert_eq!(
        (stats.accepted, stats.delivered, stats.pending),
        (40, 40, 0)
    );
}

fn receiver() -> Receiver {
    Receiver::start(&Options::default()).expect("a receiver")
}

#[test]
fn a_waiting_call_goes_behind_what_was_accepted_before() {
    let (folder, receiver) = (Folder::new("waiting"), receiver());
    let client = client(&options(
        &folder.file(),
        &endpoint(&receiver, "w/slow=50/204"),
    ));
    for number in 1..=3 {
        client
            .enqueue_update("1001", count(number))
            .expect("accepted");
    }
    let receipt = client.update_order("1001", count(4)).expect("received");
    assert_eq!(receipt.attempts, 1);
    assert_eq!(client.stats().unwrap().delivered, 4);
}

#[test]
fn a_rejected_update_can_be_edited_replayed_or_discarded() {
    let (folder, receiver) = (Folder::new("dead"), receiver());
    let url = endpoint(&receiver, "d/422/204");
    let client = client(&options(&folder.file(), &url).set("on_rejected", "hold"));
    let first = client.enqueue_update("1001", count(1)).expect("accepted");
    while client.stats().unwrap().dead == 0 {
        std::thread::yield_now();
    }
    client.enqueue_update("1001", count(2)).expect("accepted");
    assert_eq!(client.stats().unwrap().pending, 1, "the lane holds");
    let letter = client.dead_letters(0, 9).unwrap().remove(0);
    assert_eq!(
        (letter.id, letter.status, letter.code.as_str()),
        (first.id, Some(422), "rejected")
    );
    assert!(
        client
            .edit(first.id, Fields::new().set("order_id", "7"))
            .is_err()
    );
    assert!(client.edit(first.id, count(11)).unwrap());
    assert!(client.replay(first.id).unwrap());
    assert_eq!(client.flush(LONG).unwrap(), 0);
    let counts: Vec<u64> = received(&receiver, "d")
        .into_iter()
        .map(|(_, n)| n)
        .collect();
    assert_eq!(counts, [11, 2]);
    assert!(
        !client.discard(first.id).unwrap(),
        "it is no dead letter any more"
    );
}

#[test]
fn a_rejection_reaches_the_one_who_waits() {
    let (folder, receiver) = (Folder::new("refused"), receiver());
    let client = client(&options(&folder.file(), &endpoint(&receiver, "r/400")));
    let error = client.update_order("1001", count(1)).unwrap_err();
    assert_eq!(
        (error.code(), error.status()),
        (ErrorCode::Rejected, Some(400))
    );
    let id = client.dead_letters(0, 1).unwrap()[0].id;
    assert!(client.discard(id).unwrap());
    let stats = client.stats().unwrap();
    assert_eq!((stats.accepted, stats.discarded, stats.dead), (1, 1, 0));
}

#[test]
fn an_order_that_is_asked_to_wait_holds_up_no_other() {
    let (folder, receiver) = (Folder::new("asked-one"), receiver());
    let url = endpoint(&receiver, "w/503:retry-after=999999999/204");
    let client = client(&options(&folder.file(), &url));
    client.enqueue_update("1001", count(1)).expect("accepted");
    let deadline = Instant::now() + LONG;
    while requests(&receiver, "w").is_empty() {
        assert!(Instant::now() < deadline, "the first update is never sent");
        std::thread::sleep(Duration::from_millis(5));
    }
    let receipt = client.update_order("1002", count(1));
    assert!(receipt.is_ok(), "{receipt:?}");
    assert_eq!(received(&receiver, "w"), [("1002".to_owned(), 1)]);
    assert_eq!(client.flush(LONG).unwrap(), 0, "a flush waits for no date");
}

#[test]
fn an_endpoint_that_refuses_every_order_empties_no_outbox() {
    let (folder, receiver) = (Folder::new("refusing"), receiver());
    let url = endpoint(&receiver, &format!("f/{}204", "403/".repeat(8)));
    let client = client(&options(&folder.file(), &url));
    for order in 0..20 {
        client
            .enqueue_update(order.to_string(), count(1))
            .expect("accepted");
    }
    assert_eq!(client.flush(LONG).unwrap(), 0);
    let stats = client.stats().unwrap();
    assert_eq!((stats.dead, stats.delivered), (4, 16), "{stats:?}");
}

#[test]
fn a_client_without_delivery_only_accepts_and_another_delivers() {
    let (folder, receiver) = (Folder::new("two"), receiver());
    let url = endpoint(&receiver, "t/204");
    let writer = client(&options(&folder.file(), &url).set("deliver", false));
    let sender = client(&options(&folder.file(), &url));
    assert_eq!(
        sender.flush(LONG).unwrap(),
        0,
        "starts to look after the file"
    );
    let receipt = writer.update_order("1001", count(1));
    assert!(receipt.is_ok(), "{receipt:?}");
}

#[test]
fn no_room_and_no_outbox_are_said() {
    let folder = Folder::new("full");
    let options = options(&folder.file(), "http://127.0.0.1:9/");
    let full = client(
        &options
            .clone()
            .set("deliver", false)
            .set("capacity_rows", 1),
    );
    full.enqueue_update("1", count(1)).expect("accepted");
    let error = full.enqueue_update("2", count(1)).unwrap_err();
    assert_eq!(
        (error.kind(), error.code()),
        (ErrorKind::OutboxFull, ErrorCode::OutboxFull)
    );
    let error = Client::new("abcd.com")
        .unwrap()
        .enqueue_update("1", count(1))
        .unwrap_err();
    assert_eq!(error.code(), ErrorCode::ConfigMissing);
    assert!(error.message().starts_with("outbox is not set"), "{error}");
}

#[test]
fn a_state_behind_one_that_waits_is_flagged() {
    let folder = Folder::new("stale");
    let client = client(&options(&folder.file(), "http://127.0.0.1:9/").set("deliver", false));
    let status = |status: &'static str| Fields::new().set("order_status", status);
    assert!(
        client
            .enqueue_update("1", status("refunded"))
            .unwrap()
            .warnings
            .is_empty()
    );
    let ticket = client.enqueue_update("1", status("paid")).unwrap();
    assert_eq!(ticket.warnings[0].code.as_str(), "status_stale");
    assert!(
        client
            .enqueue_update("2", status("paid"))
            .unwrap()
            .warnings
            .is_empty()
    );
}

#[cfg(unix)]
#[test]
fn the_file_is_its_owners_alone() {
    use std::os::unix::fs::PermissionsExt;
    let folder = Folder::new("rights");
    let client = client(&options(&folder.file(), "http://127.0.0.1:9/").set("deliver", false));
    client.enqueue_update("1", count(1)).expect("accepted");
    let mode =
        |path: &std::path::Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let are_private = || {
        let entries = std::fs::read_dir(&folder.0).unwrap();
        entries
            .map(|entry| mode(&entry.unwrap().path()))
            .all(|mode| mode == 0o600)
    };
    assert!(are_private());
    drop(client);
    std::fs::set_permissions(folder.file(), PermissionsExt::from_mode(0o604)).unwrap();
    drop(self::client(
        &options(&folder.file(), "http://127.0.0.1:9/").set("deliver", false),
    ));
    assert!(are_private(), "a file that everyone could read");
}

/// What a child process does: accepts numbered updates for its own orders, says each number when
/// it is accepted, and delivers meanwhile.
#[test]
#[ignore = "run by other tests as a process of its own"]
fn child() {
    let Ok(file) = std::env::var("CHILD_FILE") else {
        return;
    };
    let url = std::env::var("CHILD_URL").expect("a URL");
    let first: u32 = std::env::var("CHILD_FIRST").unwrap().parse().unwrap();
    let order = std::env::var("CHILD_ORDER").unwrap();
    let number = |name: &str| std::env::var(name).map(|text| text.parse().unwrap());
    let client = client(
        &options(&file, &url)
            .set("timeout", 2)
            .set("workers", number("CHILD_WORKERS").unwrap_or(4))
            .set("on_rejected", "hold"),
    );
    let last = number("CHILD_LAST").unwrap_or(u32::MAX);
    for number in first..=last {
        let order = format!("{order}-{}", number % 3);
        client
            .enqueue_update(order, count(number))
            .expect("accepted");
        println!("accepted {number}");
    }
    client.flush(LONG).expect("flushed");
}

fn start_child(file: &str, url: &str, order: usize, first: u32) -> Child {
    child_command(file, url, order, first)
        .stdout(Stdio::piped())
        .spawn()
        .expect("a child")
}

fn child_command(file: &str, url: &str, order: usize, first: u32) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args([
            "--exact",
            "child",
            "--ignored",
            "--nocapture",
            "--test-threads=1",
        ])
        .env("CHILD_FILE", file)
        .env("CHILD_URL", url)
        .env("CHILD_ORDER", order.to_string())
        .env("CHILD_FIRST", first.to_string());
    command
}

/// Kills a child and returns the last number it had said was accepted.
fn kill(mut child: Child) -> u32 {
    child.kill().expect("killed");
    let mut said = String::new();
    child
        .stdout
        .take()
        .unwrap()
        .read_to_string(&mut said)
        .unwrap();
    child.wait().unwrap();
    let numbers = said
        .lines()
        .filter_map(|line| line.split("accepted ").nth(1));
    numbers
        .filter_map(|number| number.parse().ok())
        .next_back()
        .unwrap_or(0)
}

#[test]
fn nothing_is_lost_or_reordered_when_processes_are_killed() {
    const CHILDREN: usize = 3;
    let (folder, receiver) = (Folder::new("kill"), receiver());
    let rounds: u32 = std::env::var("KILLS").map_or(8, |text| text.parse().unwrap());
    let url = endpoint(
        &receiver,
        "k/204/503/204/reset-after/204/close/200/204/reset-before/204",
    );
    let mut accepted: Vec<Vec<(u32, u32)>> = vec![Vec::new(); CHILDREN];
    for round in 0..rounds {
        let first = round * 100_000 + 1;
        let children: Vec<Child> = (0..CHILDREN)
            .map(|order| start_child(&folder.file(), &url, order, first))
            .collect();
        std::thread::sleep(Duration::from_millis(100 + u64::from(round * 37 % 150)));
        for (order, child) in children.into_iter().enumerate() {
            accepted[order].push((first, kill(child)));
        }
    }
    let rest = client(&options(&folder.file(), &url).set("on_rejected", "hold"));
    deliver_all(&rest);
    check_arrival(&received(&receiver, "k"), &accepted);
    let stats = rest.stats().unwrap();
    assert_eq!(stats.accepted, stats.delivered, "{stats:?}");
    eprintln!("{} kills: {stats:?}", rounds as usize * CHILDREN);
}

/// What was interrupted three times holds its lane until somebody looks: here, who replays it.
fn deliver_all(client: &Client) {
    let deadline = Instant::now() + Duration::from_secs(120);
    loop {
        let left = client.flush(Duration::from_millis(500)).unwrap();
        let letters = client.dead_letters(0, 1000).unwrap();
        for letter in &letters {
            assert_eq!(letter.code, "interrupted");
            assert!(client.replay(letter.id).unwrap());
        }
        if left == 0 && letters.is_empty() {
            return;
        }
        assert!(
            Instant::now() < deadline,
            "{left} are left: {:?}",
            client.stats()
        );
    }
}

fn check_arrival(arrived: &[(String, u64)], accepted: &[Vec<(u32, u32)>]) {
    let mut lanes: HashMap<&str, Vec<u64>> = HashMap::new();
    for (order, number) in arrived {
        let lane = lanes.entry(order).or_default();
        if !lane.contains(number) {
            lane.push(*number);
        }
    }
    for (order, numbers) in &lanes {
        assert!(numbers.is_sorted(), "order {order}: {numbers:?}");
    }
    for (order, runs) in accepted.iter().enumerate() {
        for number in runs.iter().flat_map(|(first, last)| *first..=*last) {
            let lane = &lanes[format!("{order}-{}", number % 3).as_str()];
            assert!(
                lane.contains(&u64::from(number)),
                "{number} of {order} was lost"
            );
        }
    }
}

#[test]
fn calls_that_do_not_wait_and_those_that_do_share_a_lane() {
    let (folder, receiver) = (Folder::new("background"), receiver());
    let client = client(&options(
        &folder.file(),
        &endpoint(&receiver, "b/503/slow=30/204"),
    ));
    let (told, tickets) = std::sync::mpsc::channel();
    let (done, receipts) = std::sync::mpsc::channel();
    let prepare = |number| {
        let fields = count(number);
        client.prepare(katalys_core::Call::Update, &"1001".into(), &fields)
    };
    for number in 1..=50 {
        let told = told.clone();
        let complete = move |ticket: Result<katalys_core::Ticket, _>| {
            told.send(ticket.map(|ticket| ticket.id)).unwrap();
        };
        client
            .enqueue_async(prepare(number).unwrap(), complete)
            .unwrap();
    }
    let submission = client.submit(prepare(51).unwrap(), move |receipt| {
        done.send(receipt).unwrap();
    });
    submission.expect("submitted");
    let ids: Vec<i64> = (0..50).map(|_| tickets.recv().unwrap().unwrap()).collect();
    assert!(ids.is_sorted(), "accepted in the order of the calls");
    let receipt = receipts
        .recv_timeout(LONG)
        .expect("told")
        .expect("received");
    assert_eq!(receipt.attempts, 1);
    let order: Vec<u64> = received(&receiver, "b").iter().map(|(_, n)| *n).collect();
    assert_eq!(order, (1..=51).collect::<Vec<_>>());
}

#[test]
fn an_observer_hears_what_becomes_of_each_update() {
    let (folder, receiver) = (Folder::new("events"), receiver());
    let url = endpoint(&receiver, "e/503/204/422/204");
    let client = client(&options(&folder.file(), &url));
    let (tell, told) = std::sync::mpsc::channel();
    assert!(client.observe(move |events| {
        for event in events {
            let _ = tell.send(event.clone());
        }
    }));
    client.enqueue_update("1001", count(1)).expect("accepted");
    client.enqueue_update("1001", count(2)).expect("accepted");
    client.enqueue_update("1001", count(3)).expect("accepted");
    assert_eq!(client.flush(LONG).unwrap(), 0);
    let letter = client.dead_letters(0, 1).unwrap().remove(0);
    assert!(client.discard(letter.id).unwrap());
    client.close(LONG).expect("closed");
    let heard: Vec<katalys_core::Event> = told.try_iter().collect();
    let of = |id: i64| {
        let of_it = heard.iter().filter(|event| event.id == id);
        let shown = of_it.map(|event| (event.kind.as_str(), event.attempts, event.code));
        shown.collect::<Vec<_>>()
    };
    assert_eq!(
        of(1),
        [
            ("accepted", 0, None),
            ("retried", 1, Some("unavailable")),
            ("delivered", 2, None)
        ]
    );
    assert_eq!(
        of(2),
        [
            ("accepted", 0, None),
            ("dead_lettered", 1, Some("rejected")),
            ("discarded", 0, None)
        ]
    );
    assert_eq!(of(3), [("accepted", 0, None), ("delivered", 1, None)]);
    let names: std::collections::HashSet<&str> =
        heard.iter().map(|event| event.order.as_str()).collect();
    assert_eq!(names.len(), 1, "one order has one name");
    assert!(!names.contains("1001"), "which is not its order_id");
}

#[cfg(unix)]
#[test]
fn a_process_that_stood_still_sends_nothing_that_another_took_over() {
    let (folder, receiver) = (Folder::new("stopped"), receiver());
    let url = endpoint(&receiver, "s/slow=400");
    let mut child = child_command(&folder.file(), &url, 0, 1)
        .env("CHILD_LAST", "12")
        .env("CHILD_WORKERS", "1")
        .stdout(Stdio::null())
        .spawn()
        .expect("a child");
    let options = options(&folder.file(), &url).set("timeout", 2);
    let watcher = client(&options.clone().set("deliver", false));
    while watcher.stats().unwrap().accepted < 12 {
        assert!(child.try_wait().unwrap().is_none(), "the child still runs");
        std::thread::sleep(Duration::from_millis(5));
    }
    let signal = |name: &str| {
        let sent = Command::new("kill")
            .args([name, &child.id().to_string()])
            .status();
        assert!(sent.expect("kill").success());
    };
    signal("-STOP");
    assert!(watcher.stats().unwrap().in_flight > 1, "more than it sends");
    assert_eq!(
        client(&options).flush(LONG).unwrap(),
        0,
        "taken over after the lease"
    );
    let before = requests(&receiver, "s").len();
    signal("-CONT");
    assert!(
        child.wait().expect("ended").success(),
        "it sees all is done"
    );
    assert_eq!(requests(&receiver, "s").len(), before);
}

#[test]
fn what_waits_can_be_looked_at_without_touching_it() {
    let folder = Folder::new("looked-at");
    let options = options(&folder.file(), "http://127.0.0.1:9/").set("deliver", false);
    let client = client(&options);
    for number in 1..=3 {
        client.enqueue_update("1001", count(number)).unwrap();
    }
    let waiting = client.pending_updates(2, 10).unwrap();
    assert_eq!(
        waiting.iter().map(|update| update.id).collect::<Vec<_>>(),
        [2, 3]
    );
    assert!(waiting[0].payload.ends_with(br#""order_count":2}"#));
    assert!(waiting[0].failures == 0 && waiting[0].age_seconds < 60.0);
    assert!(!format!("{waiting:?}").contains("1001"), "no customer data");
    let report = katalys_core::inspect_outbox(folder.file().as_ref()).unwrap();
    assert_eq!(
        (report.pending, report.dead, report.is_balanced),
        (3, 0, true)
    );
    assert_eq!(client.pending_updates(0, 1).unwrap().len(), 1);
}

#[test]
fn the_command_needs_no_site_of_its_own() {
    let client = Client::with_options(Language::Cli, &Fields::new().set("outbox", "")).unwrap();
    let without = client.validate_update("1001", count(1));
    assert_eq!(without.problems[0].path, "site_id");
    let own = client.validate_update("1001", count(1).set("site_id", "abcd.com"));
    assert!(own.payload.is_some());
    let twice = count(1).set("site_id", "a.com").set("site_id", "b.com");
    assert!(client.validate_update("1001", twice).payload.is_none());
    let error = Client::with_options(Language::Cli, &Fields::new().set("connect_timeout", 0));
    assert!(
        error
            .unwrap_err()
            .message()
            .starts_with("--connect-timeout must")
    );
}

#[test]
fn what_an_earlier_process_left_is_delivered_once_a_client_is_made() {
    let (folder, receiver) = (Folder::new("restart"), receiver());
    let url = endpoint(&receiver, "b/204");
    let earlier = client(&options(&folder.file(), &url).set("deliver", false));
    for number in 1..=5 {
        earlier
            .enqueue_update("1001", count(number))
            .expect("accepted");
    }
    drop(earlier);
    let _idle = client(&options(&folder.file(), &url));
    wait_for_requests(&receiver, "b", 5);
}

#[test]
fn an_idle_client_takes_over_within_five_seconds() {
    let (folder, receiver) = (Folder::new("idle"), receiver());
    let url = endpoint(&receiver, "i/204");
    let idle = client(&options(&folder.file(), &url));
    idle.update_order("1", count(1)).expect("received");
    std::thread::sleep(Duration::from_secs(2)); // Until it has nothing left to do.
    let other = client(&options(&folder.file(), &url).set("deliver", false));
    let accepted = Instant::now();
    other.enqueue_update("2", count(1)).expect("accepted");
    wait_for_requests(&receiver, "i", 2);
    assert!(accepted.elapsed() < Duration::from_secs(6));
}

#[test]
fn a_closed_client_accepts_and_says_at_once_that_it_does_not_deliver() {
    let (folder, receiver) = (Folder::new("closed"), receiver());
    let url = endpoint(&receiver, "c/204");
    let closed = client(&options(&folder.file(), &url));
    closed.enqueue_update("1001", count(1)).expect("accepted");
    closed.flush(LONG).expect("flushed");
    closed.close(LONG).expect("closed");
    let started = Instant::now();
    let error = closed.update_order("1001", count(2)).unwrap_err();
    assert!(started.elapsed() < Duration::from_secs(2));
    assert_eq!(
        (error.code(), error.is_retryable(), error.ticket()),
        (ErrorCode::TimeoutPending, false, Some(2))
    );
    client(&options(&folder.file(), &url))
        .flush(LONG)
        .expect("flushed");
    assert_eq!(received(&receiver, "c").len(), 2);
}

#[test]
fn a_paused_client_resumes_for_a_process_that_lives_on() {
    let (folder, receiver) = (Folder::new("resumes"), receiver());
    let client = client(&options(&folder.file(), &endpoint(&receiver, "r/204")));
    for invocation in ["1", "2", "3"] {
        client.resume();
        client.update_order(invocation, Fields::new()).unwrap();
        client.pause();
        client.wait_until_paused(LONG);
        let closed = client.update_order("late", Fields::new()).unwrap_err();
        assert_eq!(closed.code().as_str(), "timeout_pending");
    }
    client.resume();
    assert_eq!(client.flush(LONG).unwrap(), 0);
    assert_eq!(client.stats().unwrap().delivered, 6);
}

#[test]
fn a_call_that_runs_out_of_time_is_not_to_be_repeated() {
    let folder = Folder::new("patience");
    let slow = client(&options(&folder.file(), "http://127.0.0.1:9/").set("timeout", 0.2));
    let error = slow.update_order("1001", count(1)).unwrap_err();
    assert_eq!(
        (error.code(), error.is_retryable(), error.ticket()),
        (ErrorCode::TimeoutPending, false, Some(1))
    );
    assert_eq!(slow.stats().unwrap().accepted, 1);
}

#[test]
fn flush_does_not_wait_for_what_the_endpoint_asked_for() {
    let (folder, receiver) = (Folder::new("asked"), receiver());
    let url = endpoint(&receiver, "f/503:retry-after=999999999/204");
    let client = client(&options(&folder.file(), &url));
    client.enqueue_update("1001", count(1)).expect("accepted");
    wait_for_requests(&receiver, "f", 1);
    while client.stats().unwrap().in_flight > 0 {
        std::thread::yield_now();
    }
    assert_eq!(client.flush(Duration::from_secs(20)).unwrap(), 0);
}

#[cfg(unix)]
#[test]
fn a_file_that_disappears_is_said_by_every_call_and_an_event() {
    let (folder, receiver) = (Folder::new("gone"), receiver());
    let url = endpoint(&receiver, "g/204");
    let client = client(&options(&folder.file(), &url));
    let (tell, told) = std::sync::mpsc::channel();
    client.observe(move |events| {
        for event in events {
            let _ = tell.send(event.clone());
        }
    });
    client.enqueue_update("1", count(1)).expect("accepted");
    client.flush(LONG).expect("flushed");
    let elsewhere = folder.0.join("elsewhere.db");
    std::thread::sleep(Duration::from_secs(2)); // Until it is idle.
    std::fs::rename(folder.file(), &elsewhere).unwrap();
    let failed = std::iter::from_fn(|| told.recv_timeout(Duration::from_secs(1)).ok())
        .find(|event| event.kind == katalys_core::EventKind::Failed)
        .expect("an event within a second, without a call");
    assert_eq!(failed.code, Some("outbox_moved"));
    let moved =
        |error: katalys_core::Error| assert_eq!(error.code(), ErrorCode::OutboxMoved, "{error}");
    moved(client.enqueue_update("2", count(1)).unwrap_err());
    moved(client.stats().unwrap_err());
    moved(client.flush(LONG).unwrap_err());
    moved(client.update_order("3", count(1)).unwrap_err());
    std::fs::rename(&elsewhere, folder.file()).unwrap();
    client.enqueue_update("4", count(1)).expect("it is back");
    assert_eq!(client.flush(LONG).unwrap(), 0);
}

#[cfg(unix)]
#[test]
fn what_is_discarded_or_edited_cannot_be_read_any_more() {
    let (folder, receiver) = (Folder::new("erased"), receiver());
    let url = endpoint(&receiver, "x/422");
    let client = client(&options(&folder.file(), &url));
    let secret = |name: &str| Fields::new().set("email_address", format!("{name}@example.com"));
    for name in ["jane.discarded", "jane.edited"] {
        client
            .enqueue_update(name.len().to_string(), secret(name))
            .expect("accepted");
    }
    client.flush(LONG).expect("flushed");
    let letters = client.dead_letters(0, 9).unwrap();
    assert!(client.discard(letters[0].id).unwrap());
    assert!(
        client
            .edit(
                letters[1].id,
                Fields::new().set("email_address", "other@example.com")
            )
            .unwrap()
    );
    for entry in std::fs::read_dir(&folder.0).unwrap() {
        let path = entry.unwrap().path();
        let bytes = std::fs::read(&path).unwrap();
        assert!(
            !bytes.windows(5).any(|part| part == b"jane."),
            "{}",
            path.display()
        );
    }
}

/// Until this many requests have come in, or the test has failed.
fn wait_for_requests(receiver: &Receiver, run: &str, count: usize) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while requests(receiver, run).len() < count {
        assert!(Instant::now() < deadline, "fewer than {count} requests");
        std::thread::sleep(Duration::from_millis(10));
    }
}
