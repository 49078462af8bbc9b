//! Every step, as a raw client sees it.

mod client;

use std::io::{ErrorKind, Read, Write};
use std::time::{Duration, Instant, SystemTime};

use client::{Raw, Receiver, is_204, post, status};

#[test]
fn statuses_are_sent_in_order_and_the_last_repeats() {
    let receiver = Receiver::start(&[]);
    let mut raw = Raw::connect(&receiver);
    let path = "/run/order/503/400/204";
    let answers: Vec<_> = (0..4)
        .map(|_| status(&raw.exchange(&post(path, "{}"))))
        .collect();
    assert_eq!(answers, [503, 400, 204, 204]);
}

#[test]
fn requests_are_recorded() {
    let receiver = Receiver::start(&[]);
    let mut raw = Raw::connect(&receiver);
    raw.exchange(&post("/run/back/204", "{\"city\":\"Zürich\"}"));
    raw.exchange(&post("/v2/_tr_offline", "{}"));
    let recorded = receiver.get("/_recorded/back?wait=1");
    let request = &recorded[0];
    assert_eq!(recorded.as_array().unwrap().len(), 1);
    assert_eq!(request["method"], "POST");
    assert_eq!(request["path"], "/run/back/204");
    assert_eq!(request["body"], "{\"city\":\"Zürich\"}");
    assert_eq!(request["headers"]["x-test"], "yes");
    assert_eq!(request["listener"], "url");
    assert_eq!(request["step"], "204");
    assert_eq!(receiver.get("/_recorded").as_array().unwrap().len(), 2);
    raw.exchange("DELETE /_recorded HTTP/1.1\r\n\r\n");
    assert_eq!(receiver.get("/_recorded").as_array().unwrap().len(), 0);
}

#[test]
fn a_wait_returns_when_the_request_arrives() {
    let receiver = Receiver::start(&[]);
    std::thread::scope(|scope| {
        let waiter = scope.spawn(|| receiver.get("/_recorded/late?wait=1&timeout=30"));
        Raw::connect(&receiver).exchange(&post("/run/late/204", "{}"));
        assert_eq!(waiter.join().unwrap().as_array().unwrap().len(), 1);
    });
    let started = Instant::now();
    assert_eq!(
        receiver
            .get("/_recorded/never?wait=1&timeout=0.1")
            .as_array()
            .unwrap()
            .len(),
        0
    );
    assert!(started.elapsed() >= Duration::from_millis(100));
}

#[test]
fn stats_count_connections_and_requests() {
    let receiver = Receiver::start(&[]);
    let mut raw = Raw::connect(&receiver);
    raw.exchange(&post("/run/count/204", "{}"));
    raw.exchange(&post("/run/count/204", "{}"));
    let stats = receiver.get("/_stats");
    assert_eq!(stats["listeners"]["url"]["connections"], 1);
    assert_eq!(stats["listeners"]["url"]["requests"], 2);
    assert_eq!(stats["requests"], 2, "control requests are not counted");
    assert_eq!(stats["listeners"]["tls.good"]["connections"], 0);
}

#[test]
fn retry_after_is_sent_as_given() {
    let receiver = Receiver::start(&[]);
    let header = |path: &str| {
        let answer = Raw::connect(&receiver).exchange(&post(path, "{}"));
        assert_eq!(status(&answer), 503);
        let value = answer
            .split("Retry-After: ")
            .nth(1)
            .unwrap()
            .split("\r\n")
            .next()
            .unwrap();
        value.to_owned()
    };
    assert_eq!(header("/run/a/503:retry-after=1"), "1");
    assert_eq!(header("/run/b/503:retry-after=soon"), "soon");
    let before = SystemTime::now();
    let date = httpdate::parse_http_date(&header("/run/c/503:retry-after=date+1")).unwrap();
    let ahead = date.duration_since(before).expect("a date in the future");
    assert!((1.0..2.5).contains(&ahead.as_secs_f64()), "{ahead:?}");
}

#[test]
fn a_redirect_leads_to_a_recorded_path() {
    let receiver = Receiver::start(&[]);
    let mut raw = Raw::connect(&receiver);
    let answer = raw.exchange(&post("/run/moved/307", "{}"));
    assert!(
        answer.contains("\r\nLocation: /elsewhere/moved\r\n"),
        "{answer}"
    );
    assert!(is_204(
        &raw.exchange("GET /elsewhere/moved HTTP/1.1\r\n\r\n")
    ));
    let recorded = receiver.get("/_recorded/moved?wait=2");
    assert_eq!(recorded[1]["path"], "/elsewhere/moved");
}

#[test]
fn slow_delays_and_hang_never_responds() {
    let receiver = Receiver::start(&[]);
    let started = Instant::now();
    assert!(is_204(
        &Raw::connect(&receiver).exchange(&post("/run/slow/slow=200", "{}"))
    ));
    assert!(started.elapsed() >= Duration::from_millis(200));

    let mut hanging = Raw::connect(&receiver);
    hanging.send(&post("/run/hang/hang", "{}"));
    hanging
        .socket
        .set_read_timeout(Some(Duration::from_millis(200)))
        .unwrap();
    let kind = hanging.socket.read(&mut [0; 1]).unwrap_err().kind();
    assert!(
        matches!(kind, ErrorKind::WouldBlock | ErrorKind::TimedOut),
        "{kind}"
    );
    assert_eq!(
        receiver.get("/_recorded/hang?wait=1")[0]["body"],
        "{}",
        "it was read in full"
    );
}

#[test]
fn trickle_sends_single_bytes() {
    let receiver = Receiver::start(&[]);
    let mut raw = Raw::connect(&receiver);
    raw.send(&post("/run/trickle/trickle", "{}"));
    let started = Instant::now();
    let mut seen = Vec::new();
    for _ in 0..4 {
        let mut bytes = [0; 64];
        let length = raw.socket.read(&mut bytes).unwrap();
        assert_eq!(length, 1);
        seen.push(bytes[0]);
    }
    assert_eq!(seen, b"HTTP");
    assert!(started.elapsed() >= Duration::from_millis(250));
}

#[test]
fn reset_before_does_not_wait_for_the_body() {
    let receiver = Receiver::start(&[]);
    let mut raw = Raw::connect(&receiver);
    raw.send("POST /run/before/reset-before HTTP/1.1\r\nContent-Length: 10\r\n\r\n");
    assert_eq!(raw.end(), Err(ErrorKind::ConnectionReset));
    let recorded = receiver.get("/_recorded/before?wait=1");
    assert!(recorded[0]["body"].is_null());
}

#[test]
fn reset_after_has_read_the_body() {
    let receiver = Receiver::start(&[]);
    let mut raw = Raw::connect(&receiver);
    raw.send(&post("/run/after/reset-after", "{\"a\":1}"));
    assert_eq!(raw.end(), Err(ErrorKind::ConnectionReset));
    assert_eq!(
        receiver.get("/_recorded/after?wait=1")[0]["body"],
        "{\"a\":1}"
    );
}

#[test]
fn close_garbage_and_truncated_end_with_fin() {
    let receiver = Receiver::start(&[]);
    let end = |step: &str| {
        let mut raw = Raw::connect(&receiver);
        raw.send(&post(&format!("/run/{step}/{step}"), "{}"));
        raw.end()
    };
    assert_eq!(end("close"), Ok(Vec::new()));
    assert_eq!(end("truncated"), Ok(b"HTTP/1.1 2".to_vec()));
    let garbage = end("garbage").expect("FIN, no RST");
    assert!(!garbage.is_empty() && !garbage.starts_with(b"HTTP"));
}

#[test]
fn huge_responses_do_not_end() {
    let receiver = Receiver::start(&[]);
    for step in ["huge", "huge-head"] {
        let mut raw = Raw::connect(&receiver);
        raw.send(&post(&format!("/run/{step}/{step}"), "{}"));
        let mut much = vec![0; 4 * 1024 * 1024];
        raw.socket.read_exact(&mut much).unwrap();
        assert!(much.starts_with(b"HTTP/1.1 503 "));
    }
}

#[test]
fn a_204_closes_with_or_without_an_announcement() {
    let receiver = Receiver::start(&[]);
    let mut announced = Raw::connect(&receiver);
    announced.send(&post("/run/x/204-close", "{}"));
    let bytes = announced.end().expect("FIN");
    assert!(
        String::from_utf8(bytes)
            .unwrap()
            .contains("\r\nConnection: close\r\n")
    );

    let mut silent = Raw::connect(&receiver);
    silent.send(&post("/run/y/204-then-close", "{}"));
    assert_eq!(
        silent.end(),
        Ok(b"HTTP/1.1 204 No Content\r\n\r\n".to_vec())
    );
}

#[test]
fn continue_comes_before_the_body_is_sent() {
    let receiver = Receiver::start(&[]);
    for (path, expect) in [
        ("/run/c/continue", ""),
        ("/run/e/204", "Expect: 100-continue\r\n"),
    ] {
        let mut raw = Raw::connect(&receiver);
        raw.send(&format!(
            "POST {path} HTTP/1.1\r\n{expect}Content-Length: 2\r\n\r\n"
        ));
        assert_eq!(status(&raw.head()), 100);
        raw.send("{}");
        assert!(is_204(&raw.head()));
    }
}

#[test]
fn an_unknown_step_gets_400() {
    let receiver = Receiver::start(&[]);
    let answer = Raw::connect(&receiver).exchange(&post("/run/x/dance", "{}"));
    assert!(
        status(&answer) == 400 && answer.ends_with("unknown step: dance\n"),
        "{answer}"
    );
}

#[test]
fn tls_bytes_on_the_plain_port_are_counted_as_malformed() {
    let receiver = Receiver::start(&[]);
    let mut raw = Raw::connect(&receiver);
    raw.socket.write_all(b"\x16\x03\x01\x00\x05hello").unwrap();
    assert_eq!(status(&raw.head()), 400);
    assert_eq!(receiver.get("/_stats")["listeners"]["url"]["malformed"], 1);
}

#[test]
fn nothing_is_recorded_with_no_record() {
    let receiver = Receiver::start(&["--no-record"]);
    let mut raw = Raw::connect(&receiver);
    assert_eq!(status(&raw.exchange(&post("/run/n/503/204", "{}"))), 503);
    assert!(is_204(&raw.exchange(&post("/run/n/503/204", "{}"))));
    assert_eq!(
        status(&raw.exchange("GET /_recorded HTTP/1.1\r\n\r\n")),
        409
    );
}
