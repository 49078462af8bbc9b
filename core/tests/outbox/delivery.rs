//! Which updates are delivered, when, and by which client.

use super::*;
use katalys_core::ErrorCode;
use katalys_core::bridge::Bridge as _;

#[test]
fn accepted_updates_arrive_in_order_through_faults() {
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

#[test]
fn a_waiting_call_is_sent_behind_earlier_updates() {
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
fn waiting_and_background_calls_share_a_lane() {
    let (folder, receiver) = (Folder::new("background"), receiver());
    let client = client(&options(
        &folder.file(),
        &endpoint(&receiver, "b/503/slow=30/204"),
    ));
    let (accepted, tickets) = std::sync::mpsc::channel();
    let (done, receipts) = std::sync::mpsc::channel();
    let prepare = |number| {
        let fields = count(number);
        client.prepare(katalys_core::Call::Update, &"1001".into(), &fields)
    };
    for number in 1..=50 {
        let accepted = accepted.clone();
        let complete = move |ticket: Result<katalys_core::Ticket, _>| {
            accepted.send(ticket.map(|ticket| ticket.id)).unwrap();
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
        .expect("completed")
        .expect("received");
    assert_eq!(receipt.attempts, 1);
    let order: Vec<u64> = received(&receiver, "b").iter().map(|(_, n)| *n).collect();
    assert_eq!(order, (1..=51).collect::<Vec<_>>());
}

#[test]
fn an_order_that_has_to_wait_delays_no_other() {
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
    assert_eq!(
        client.flush(LONG).unwrap(),
        0,
        "a flush does not wait for Retry-After"
    );
}

#[test]
fn an_endpoint_that_rejects_every_order_does_not_empty_the_outbox() {
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
    assert_eq!(sender.flush(LONG).unwrap(), 0, "starts to deliver");
    let receipt = writer.update_order("1001", count(1));
    assert!(receipt.is_ok(), "{receipt:?}");
}

#[test]
fn an_idle_client_takes_over_within_five_seconds() {
    let (folder, receiver) = (Folder::new("idle"), receiver());
    let url = endpoint(&receiver, "i/204");
    let idle = client(&options(&folder.file(), &url));
    idle.update_order("1", count(1)).expect("received");
    std::thread::sleep(Duration::from_secs(2)); // Until it is idle.
    let other = client(&options(&folder.file(), &url).set("deliver", false));
    let accepted = Instant::now();
    other.enqueue_update("2", count(1)).expect("accepted");
    wait_for_requests(&receiver, "i", 2);
    assert!(accepted.elapsed() < Duration::from_secs(6));
}

#[test]
fn a_new_client_delivers_the_updates_of_an_earlier_process() {
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
fn flush_does_not_wait_for_retry_after() {
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

#[test]
fn a_call_that_times_out_must_not_be_repeated() {
    let folder = Folder::new("timeout");
    let slow = client(&options(&folder.file(), "http://127.0.0.1:9/").set("timeout", 0.2));
    let error = slow.update_order("1001", count(1)).unwrap_err();
    assert_eq!(
        (error.code(), error.is_retryable(), error.ticket()),
        (ErrorCode::TimeoutPending, false, Some(1))
    );
    assert_eq!(slow.stats().unwrap().accepted, 1);
}

#[test]
fn a_closed_client_accepts_and_reports_at_once_that_it_does_not_deliver() {
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
fn a_paused_client_can_resume() {
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
