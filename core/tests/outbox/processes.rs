//! Several processes with one outbox, which are killed and stopped.

use super::*;
use std::collections::HashMap;
use std::process::{Child, Command, Stdio};

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

/// Kills a child; returns the last number that it printed as accepted.
fn kill(mut child: Child) -> u32 {
    child.kill().expect("killed");
    let mut output = String::new();
    child
        .stdout
        .take()
        .unwrap()
        .read_to_string(&mut output)
        .unwrap();
    child.wait().unwrap();
    let numbers = output
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

/// Delivers all updates. One that was interrupted three times is replayed, since it holds its lane.
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

#[cfg(unix)]
#[test]
fn a_stopped_process_sends_nothing_that_another_took_over() {
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
    assert!(
        watcher.stats().unwrap().in_flight > 1,
        "more updates than it sends at a time"
    );
    assert_eq!(
        client(&options).flush(LONG).unwrap(),
        0,
        "taken over after the lease"
    );
    let before = requests(&receiver, "s").len();
    signal("-CONT");
    assert!(
        child.wait().expect("ended").success(),
        "it finds everything delivered"
    );
    assert_eq!(requests(&receiver, "s").len(), before);
}
