//! Requests as they arrive, answers, and connections that are used again.

use super::*;

#[test]
fn head_and_body_arrive_in_one_piece() {
    let (sender, first_read) = mpsc::channel();
    let server = Server::start(move |mut stream| {
        let mut buffer = [0; 4096];
        let count = stream.read(&mut buffer).unwrap();
        sender.send(buffer[..count].to_vec()).unwrap();
        stream.write_all(RECEIVED).unwrap();
    });
    assert_eq!(post(&to(&server)), ExchangeOutcome::Received);
    let expected = format!(
        "POST /v2/_tr_offline HTTP/1.1\r\nHost: 127.0.0.1:{}\r\n\
         User-Agent: katalys-rust/0.1.0\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\n\r\n{}",
        server.port,
        BODY.len(),
        String::from_utf8_lossy(BODY)
    );
    let arrived = String::from_utf8(first_read.recv().unwrap()).unwrap();
    assert_eq!(arrived, expected);
}

#[test]
fn a_large_body_arrives_whole() {
    let (sender, requests) = mpsc::channel();
    let server = Server::start(move |mut stream| {
        while let Some(request) = read_request(&mut stream) {
            sender.send(request).unwrap();
            stream.write_all(RECEIVED).unwrap();
        }
    });
    let transport = to(&server);
    for size in [1, 14_000, 16_000, 16_384, 100_000, 256 * 1024] {
        let body: Vec<u8> = (b'a'..=b'z').cycle().take(size).collect();
        let end = Instant::now() + Duration::from_secs(10);
        assert_eq!(
            transport.post(&body, end),
            ExchangeOutcome::Received,
            "{size}"
        );
        assert!(requests.recv().unwrap().ends_with(&body), "{size}");
    }
    assert_eq!(server.connections(), 1);
}

#[test]
fn connections_are_used_again_after_complete_answers() {
    for (answer, outcome) in [
        ("HTTP/1.1 204 No Content\r\n\r\n", ExchangeOutcome::Received),
        (
            "HTTP/1.1 204 No Content\r\ncontent-length: 0\r\n\r\n",
            ExchangeOutcome::Received,
        ),
        (
            "HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n",
            ExchangeOutcome::Received,
        ),
        (
            "HTTP/1.1 500 Oops\r\nContent-Length: 4\r\n\r\noops",
            answered(500),
        ),
        (
            "HTTP/1.1 400 Bad\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nbad\r\n0\r\n\r\n",
            answered(400),
        ),
        (
            "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n",
            answered(302),
        ),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
            answered(200),
        ),
    ] {
        let server = Server::answering(answer);
        let transport = to(&server);
        for _ in 0..3 {
            assert_eq!(post(&transport), outcome, "{answer}");
        }
        assert_eq!(server.connections(), 1, "{answer}");
    }
}

#[test]
fn connections_are_closed_after_unclear_or_long_answers() {
    let long_body = format!(
        "HTTP/1.1 500 Oops\r\nContent-Length: 20000\r\n\r\n{}",
        "x".repeat(20000)
    );
    for (answer, outcome) in [
        (
            "HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n",
            ExchangeOutcome::Received,
        ),
        ("HTTP/1.0 204 No Content\r\n\r\n", ExchangeOutcome::Received),
        (
            "HTTP/1.1 204 No Content\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n",
            ExchangeOutcome::Received,
        ),
        (
            "HTTP/1.1 400 Bad\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nbad",
            answered(400),
        ),
        (long_body.as_str(), answered(500)),
    ] {
        let server = Server::answering(answer);
        let transport = to(&server);
        for _ in 0..3 {
            assert_eq!(post(&transport), outcome, "{answer}");
        }
        assert_eq!(server.connections(), 3, "{answer}");
    }
}

#[test]
fn a_redirect_is_not_followed() {
    let elsewhere = Server::answering(RECEIVED);
    for status in [301, 302, 303, 307, 308] {
        let answer = format!(
            "HTTP/1.1 {status} Go\r\nLocation: {}\r\nContent-Length: 0\r\n\r\n",
            elsewhere.url()
        );
        let server = Server::answering(answer);
        assert_eq!(post(&to(&server)), answered(status));
    }
    assert_eq!(elsewhere.connections(), 0);
}

#[test]
fn retry_after_is_returned() {
    let server =
        Server::answering("HTTP/1.1 429 Slow\r\nretry-after: 7\r\nContent-Length: 0\r\n\r\n");
    let outcome = ExchangeOutcome::Answered {
        status: 429,
        retry_after: Some(Duration::from_secs(7)),
    };
    assert_eq!(post(&to(&server)), outcome);
}

#[test]
fn a_connection_that_the_server_closed_is_replaced() {
    let (sender, closed) = mpsc::channel();
    let server = Server::start(move |mut stream| {
        read_request(&mut stream).unwrap();
        stream.write_all(RECEIVED).unwrap();
        drop(stream);
        sender.send(()).unwrap();
    });
    let transport = to(&server);
    for round in 1..=3 {
        assert_eq!(post(&transport), ExchangeOutcome::Received);
        assert_eq!(server.connections(), round);
        closed.recv().unwrap();
    }
}

#[test]
fn many_threads_share_the_connections() {
    let server = Server::answering(RECEIVED);
    let transport = to(&server);
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for _ in 0..200 {
                    assert_eq!(post(&transport), ExchangeOutcome::Received);
                }
            });
        }
    });
    assert!(server.connections() <= 8, "{}", server.connections());
}

#[test]
fn no_more_connections_are_kept_than_configured() {
    let server = Server::answering(RECEIVED);
    let transport = open(&Route {
        idle_connections: 0,
        ..route(&server.url())
    });
    assert_eq!(post(&transport), ExchangeOutcome::Received);
    assert_eq!(post(&transport), ExchangeOutcome::Received);
    assert_eq!(server.connections(), 2);
}

#[test]
fn a_user_agent_cannot_inject_a_header() {
    let route = Route {
        user_agent: "x\r\nEvil: 1".to_owned(),
        ..route("http://127.0.0.1/")
    };
    let error = Transport::in_environment(&route, &|_| None)
        .unwrap_err()
        .remove(0);
    assert_eq!(error.setting, "user_agent");
}
