//! Tunnels through proxies.

use super::*;

#[test]
fn a_proxy_is_asked_for_a_tunnel_once() {
    let authority = Authority::new("beyond");
    let config = authority.server("db.example.com", |_| {});
    let (proxy, asked) = proxy("HTTP/1.1 200 Connected\r\n\r\n", Some(config));
    let transport = open(&proxied_route(&proxy, Some(&authority)));
    for _ in 0..3 {
        assert_eq!(post(&transport), ExchangeOutcome::Received);
    }
    let asked = asked.recv().unwrap();
    assert!(
        asked.starts_with("CONNECT db.example.com:443 HTTP/1.1\r\n"),
        "{asked}"
    );
    assert!(
        asked.contains("Proxy-Authorization: Basic c2hvcDpnZWhlaW0="),
        "{asked}"
    );
    assert!(asked.ends_with("\r\n\r\n"), "{asked}");
    assert_eq!(proxy.connections(), 1);
    assert!(!format!("{transport:?}").contains("geheim"));
}

#[test]
fn failures_of_a_proxy_have_its_code() {
    for answer in [
        "HTTP/1.1 407 Proxy Authentication Required\r\n\r\n",
        "HTTP/1.1 502 Bad Gateway\r\n\r\n",
        "SSH-2.0-OpenSSH_9.2\r\n",
        "",
    ] {
        let (proxy, _asked) = proxy(answer, None);
        let failure = failure(post(&open(&proxied_route(&proxy, None))));
        assert_eq!(failure.code, ErrorCode::Proxy, "{}", failure.reason);
        assert!(failure.reason.contains("proxy"), "{}", failure.reason);
        assert!(!failure.reason.contains("geheim"), "{}", failure.reason);
        assert_eq!(failure.reason.contains("407"), answer.contains("407"));
    }
    let closed = Server {
        port: closed_port(),
        connections: Arc::default(),
    };
    let failure = failure(post(&open(&proxied_route(&closed, None))));
    assert_eq!(failure.code, ErrorCode::Proxy, "{}", failure.reason);
}

#[test]
fn a_proxy_that_sends_single_bytes_does_not_extend_the_connect_timeout() {
    let proxy = Server::start(|stream| trickle(stream, b"HTTP/1.1 200 Connected\r\nX: "));
    let transport = open(&Route {
        connect_timeout: Duration::from_millis(200),
        ..proxied_route(&proxy, None)
    });
    let started = Instant::now();
    let failure = failure(post(&transport));
    assert_eq!(failure.code, ErrorCode::Timeout, "{}", failure.reason);
    assert!(failure.reason.contains("the proxy"), "{}", failure.reason);
    assert!(started.elapsed() < Duration::from_secs(2));
}

#[test]
fn failures_behind_the_proxy_are_attributed_to_the_endpoint() {
    let authority = Authority::new("tunnel");
    let config = authority.server("wrong.example.com", |_| {});
    let (proxy, _asked) = proxy("HTTP/1.1 200 Connected\r\n\r\n", Some(config));
    let failure = failure(post(&open(&proxied_route(&proxy, Some(&authority)))));
    assert_eq!(failure.code, ErrorCode::Certificate, "{}", failure.reason);
    assert!(
        failure.reason.contains("db.example.com"),
        "{}",
        failure.reason
    );
}

#[test]
fn a_tunnel_through_a_proxy_over_tls_is_kept() {
    let authority = Authority::new("proxies");
    let beyond = authority.server("db.example.com", |_| {});
    let proxy = tls_server_that(authority.server("localhost", |_| {}), move |stream| {
        let asked = read_request(stream).unwrap();
        assert!(asked.starts_with(b"CONNECT db.example.com:443 "));
        stream.write_all(b"HTTP/1.1 200 Connected\r\n\r\n").unwrap();
        let tls = ServerConnection::new(Arc::clone(&beyond)).unwrap();
        let mut endpoint = StreamOwned::new(tls, stream);
        while read_request(&mut endpoint).is_some() && endpoint.write_all(RECEIVED).is_ok() {}
    });
    let transport = open(&Route {
        proxy: Some(format!("https://localhost:{}", proxy.port)),
        ..proxied_route(&proxy, Some(&authority))
    });
    for _ in 0..3 {
        assert_eq!(post(&transport), ExchangeOutcome::Received);
    }
    assert_eq!(proxy.connections(), 1);
}
