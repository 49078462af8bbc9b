//! Input that arrives before the request was sent is never treated as the answer.

use super::*;

/// An answer of `size` bytes.
fn padded(size: usize) -> Vec<u8> {
    let filler = "x".repeat(size - "HTTP/1.1 204 No Content\r\nX: \r\n\r\n".len());
    format!("HTTP/1.1 204 No Content\r\nX: {filler}\r\n\r\n").into_bytes()
}

/// What a server sends after the answer to a connection's first request.
type Addition = fn(&mut StreamOwned<ServerConnection, TcpStream>);

#[test]
fn input_behind_an_answer_is_not_a_receipt_for_the_next_request() {
    let authority = Authority::new("doubled");
    // With TLS 1.3 a record is 22 bytes longer than its content, and rustls reads 4096 at a time.
    let (exact, overlapping) = (padded(4096 - 22), padded(4096 - 24));
    let cases: [(&str, &[&[u8]], Addition); 7] = [
        ("a record that is not read yet", &[&exact, RECEIVED], |_| {}),
        ("a record half read", &[&overlapping, RECEIVED], |_| {}),
        ("one record", &[&[RECEIVED, RECEIVED].concat()], |_| {}),
        ("two records in one segment", &[RECEIVED, RECEIVED], |_| {}),
        (
            "many records in one segment",
            &[RECEIVED, RECEIVED, RECEIVED, RECEIVED],
            |_| {},
        ),
        ("a record of its own, later", &[RECEIVED], |stream| {
            thread::sleep(Duration::from_millis(5));
            write_records(stream, &[RECEIVED]);
        }),
        ("half a record", &[RECEIVED], |stream| {
            stream.sock.write_all(b"\x17\x03\x03\x00\x40half").unwrap();
        }),
    ];
    for (name, first, addition) in cases {
        let (sender, sent) = mpsc::channel();
        let first: Vec<Vec<u8>> = first.iter().map(|piece| piece.to_vec()).collect();
        let server = tls_server_that(authority.server("localhost", |_| {}), move |stream| {
            read_request(stream).unwrap();
            write_records(stream, &first.iter().map(Vec::as_slice).collect::<Vec<_>>());
            addition(stream);
            sender.send(()).unwrap();
            // Another request on this connection is refused.
            while read_request(stream).is_some() && stream.write_all(UNAVAILABLE).is_ok() {}
        });
        let transport = open(&tls_route(&server, Some(&authority)));
        for round in 1..=3 {
            assert_eq!(post(&transport), ExchangeOutcome::Received, "{name}");
            sent.recv_timeout(LONG).expect("the server was asked");
            assert_eq!(server.connections(), round, "{name}");
        }
    }
}

#[test]
fn an_answer_before_the_next_request_is_not_its_receipt() {
    let (sender, sent) = mpsc::channel();
    let server = Server::start(move |mut stream| {
        read_request(&mut stream).unwrap();
        stream.write_all(RECEIVED).unwrap();
        thread::sleep(Duration::from_millis(5));
        stream.write_all(RECEIVED).unwrap();
        sender.send(()).unwrap();
        while read_request(&mut stream).is_some() && stream.write_all(UNAVAILABLE).is_ok() {}
    });
    let transport = to(&server);
    for round in 1..=3 {
        assert_eq!(post(&transport), ExchangeOutcome::Received);
        sent.recv_timeout(LONG).expect("the server was asked");
        assert_eq!(server.connections(), round);
    }
}

#[test]
fn messages_of_the_tls_protocol_are_not_input() {
    let authority = Authority::new("tickets");
    let (sender, sent) = mpsc::channel();
    let server = tls_server_that(authority.server("localhost", |_| {}), move |stream| {
        while read_request(stream).is_some() {
            write_records(stream, &[RECEIVED]);
            stream.conn.refresh_traffic_keys().unwrap();
            write_records(stream, &[]);
            sender.send(()).unwrap();
        }
    });
    let transport = open(&tls_route(&server, Some(&authority)));
    for _ in 0..5 {
        assert_eq!(post(&transport), ExchangeOutcome::Received);
        sent.recv_timeout(LONG).expect("the server was asked");
    }
    assert_eq!(server.connections(), 1);
}

#[test]
fn an_answer_before_the_first_request_is_not_its_receipt() {
    let authority = Authority::new("early");
    let mut config = authority.server("localhost", |_| {});
    Arc::get_mut(&mut config).unwrap().send_half_rtt_data = true;
    // The answer is sent with the server's part of the handshake.
    let over_tls = tls_server_that(config, |stream| {
        stream.conn.writer().write_all(RECEIVED).unwrap();
        while read_request(stream).is_some() && stream.write_all(UNAVAILABLE).is_ok() {}
    });
    let failed = failure(post(&open(&tls_route(&over_tls, Some(&authority)))));
    assert_eq!(failed.code, ErrorCode::Protocol, "{}", failed.reason);
    assert!(
        failed.reason.contains("before it had the request"),
        "{}",
        failed.reason
    );
    // The same in a tunnel, directly behind the answer of the proxy.
    let (proxy, _asked) = proxy(
        "HTTP/1.1 200 Connected\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n",
        None,
    );
    let tunnelled = Route {
        endpoint: "http://db.example.com/v2".parse().unwrap(),
        ..proxied_route(&proxy, None)
    };
    let failed = failure(post(&open(&tunnelled)));
    assert_eq!(failed.code, ErrorCode::Protocol, "{}", failed.reason);
}

#[test]
fn a_server_without_tls_that_sends_first_is_detected() {
    let (sender, sent) = mpsc::channel();
    let server = Server::start(move |mut stream| {
        stream.write_all(RECEIVED).unwrap();
        sender.send(()).unwrap();
        let _ = read_request(&mut stream);
    });
    let transport = to(&server);
    let deadline = Instant::now() + Duration::from_secs(10);
    let mut connection = transport.opener().open(deadline).unwrap();
    sent.recv_timeout(LONG).expect("the server was asked");
    while connection.is_open() {
        assert!(Instant::now() < deadline, "the bytes never arrive");
    }
    assert!(has_early_input(&mut connection));
}

#[test]
fn a_server_that_closes_a_new_connection_has_sent_nothing() {
    let server = Server::start(drop);
    assert_eq!(failure(post(&to(&server))).code, ErrorCode::Disconnected);
}

/// A server that answers once it has the head of a request, and reads the rest later.
fn early_answering_server(answer: &'static [u8]) -> Server {
    Server::start(move |mut stream| {
        let mut request = Vec::new();
        let mut buffer = [0; 1024];
        while !request.windows(4).any(|part| part == b"\r\n\r\n") {
            let count = stream.read(&mut buffer).unwrap();
            request.extend_from_slice(&buffer[..count]);
        }
        stream.write_all(answer).unwrap();
        // The rest exceeds the buffers of the system, so the client has to notice the answer.
        thread::sleep(Duration::from_millis(50));
        while matches!(stream.read(&mut buffer), Ok(1..)) {}
    })
}

#[test]
fn a_receipt_for_a_part_of_a_request_is_rejected() {
    let large = vec![b'x'; 16 * 1024 * 1024];
    let server = early_answering_server(RECEIVED);
    let limit = Instant::now() + LONG;
    let failed = failure(to(&server).post(&large, limit));
    assert_eq!(failed.code, ErrorCode::Protocol, "{}", failed.reason);
    let refusing = early_answering_server(b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n");
    let limit = Instant::now() + LONG;
    assert_eq!(to(&refusing).post(&large, limit), answered(413));
}
