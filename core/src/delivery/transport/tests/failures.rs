//! Servers that are slow, silent, closed, or do not answer in HTTP.

use super::*;

#[test]
fn an_answer_in_single_bytes_does_not_extend_the_deadline() {
    let server = Server::start(|stream| trickle(stream, b"HTTP/1.1 204 No Content\r\nX: "));
    let started = Instant::now();
    let failure = failure(post_within(&to(&server), Duration::from_millis(300)));
    let took = started.elapsed();
    assert_eq!(failure.code, ErrorCode::Timeout);
    assert!(failure.reason.contains("no answer"), "{}", failure.reason);
    assert!(took >= Duration::from_millis(300), "{took:?}");
    assert!(took < Duration::from_secs(2), "{took:?}");
}

#[test]
fn a_body_in_single_bytes_does_not_delay_its_status() {
    let server = Server::start(|stream| {
        trickle(stream, b"HTTP/1.1 503 Busy\r\nContent-Length: 999\r\n\r\n");
    });
    let started = Instant::now();
    assert_eq!(post(&to(&server)), answered(503));
    assert!(started.elapsed() < Duration::from_secs(3));
}

#[test]
fn a_silent_server_is_waited_for_until_the_deadline() {
    let server = silent_server();
    let transport = to(&server);
    let started = Instant::now();
    let failure = failure(post_within(&transport, Duration::from_millis(200)));
    assert_eq!(failure.code, ErrorCode::Timeout);
    assert!(started.elapsed() >= Duration::from_millis(200));
    assert!(started.elapsed() < Duration::from_secs(2));
}

#[test]
fn a_deadline_in_the_past_is_a_timeout() {
    let server = Server::answering(RECEIVED);
    let transport = to(&server);
    assert_eq!(post(&transport), ExchangeOutcome::Received);
    let late = failure(post_within(&transport, Duration::ZERO));
    assert_eq!(late.code, ErrorCode::Timeout);
}

#[test]
fn input_that_is_not_an_answer_has_an_error_code() {
    let cases: [(&[u8], ErrorCode); 7] = [
        (b"", ErrorCode::Disconnected),
        (b"HTTP/1.1 20", ErrorCode::Disconnected),
        (
            b"HTTP/1.1 204 No Content\r\nServer: x",
            ErrorCode::Disconnected,
        ),
        (b"SSH-2.0-OpenSSH_9.2\r\n", ErrorCode::Protocol),
        (b"\x15\x03\x01\x00\x02\x02\x50", ErrorCode::Protocol),
        (b"HTTP/2 204\r\n\r\n", ErrorCode::Protocol),
        (b"HTTP/1.1 000 Nothing\r\n\r\n", ErrorCode::Protocol),
    ];
    for (answer, kind) in cases {
        let server = Server::start(move |mut stream| {
            read_request(&mut stream).unwrap();
            stream.write_all(answer).unwrap();
        });
        assert_eq!(failure(post(&to(&server))).code, kind, "{answer:?}");
    }
}

#[test]
fn an_endless_head_is_a_protocol_error() {
    let server = Server::start(|mut stream| {
        read_request(&mut stream).unwrap();
        let _ = stream.write_all(b"HTTP/1.1 204 No Content\r\n");
        while stream.write_all(b"X-Filler: 0123456789\r\n").is_ok() {}
    });
    assert_eq!(failure(post(&to(&server))).code, ErrorCode::Protocol);
}

#[test]
fn a_reset_before_the_answer_is_a_disconnection() {
    // Closing with unread input makes the system send a reset.
    let server = Server::start(|stream| {
        stream.peek(&mut [0]).unwrap();
    });
    assert_eq!(failure(post(&to(&server))).code, ErrorCode::Disconnected);
}

#[test]
fn a_refused_connection_has_an_error_code() {
    let endpoint = format!("http://127.0.0.1:{}/", closed_port());
    let failure = failure(post(&open(&route(&endpoint))));
    assert_eq!(failure.code, ErrorCode::Connect);
    assert!(failure.reason.contains("127.0.0.1"), "{}", failure.reason);
}

#[test]
fn an_ipv6_literal_works() {
    let answer = |mut stream: TcpStream| {
        let request = read_request(&mut stream).unwrap();
        assert!(String::from_utf8_lossy(&request).contains("\r\nHost: [::1]:"));
        stream.write_all(RECEIVED).unwrap();
    };
    // A machine may have no IPv6 at all.
    if let Ok(server) = Server::on("[::1]:0", answer) {
        let endpoint = format!("http://[::1]:{}/", server.port);
        assert_eq!(post(&open(&route(&endpoint))), ExchangeOutcome::Received);
    }
}
