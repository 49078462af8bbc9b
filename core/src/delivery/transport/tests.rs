//! Exchanges with small servers on loopback that behave well, badly and in between.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, date_time_ymd,
};
use rustls::pki_types::PrivateKeyDer;
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use super::*;
use crate::error::ErrorCode;

const BODY: &[u8] = br#"{"site_id":"abcd.com","order_id":"1001","order_status":"paid"}"#;
const RECEIVED: &[u8] = b"HTTP/1.1 204 No Content\r\n\r\n";

/// A server whose connections are handled by a closure, each on a thread of its own.
struct Server {
    port: u16,
    connections: Arc<AtomicUsize>,
}

impl Server {
    fn start(handle: impl Fn(TcpStream) + Send + Sync + 'static) -> Self {
        Self::on("127.0.0.1:0", handle).unwrap()
    }

    fn on(address: &str, handle: impl Fn(TcpStream) + Send + Sync + 'static) -> io::Result<Self> {
        let listener = TcpListener::bind(address)?;
        let port = listener.local_addr()?.port();
        let connections = Arc::new(AtomicUsize::new(0));
        let (count, handle) = (Arc::clone(&connections), Arc::new(handle));
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                count.fetch_add(1, Ordering::SeqCst);
                let handle = Arc::clone(&handle);
                thread::spawn(move || handle(stream));
            }
        });
        Ok(Self { port, connections })
    }

    /// Answers every request on every connection with the same bytes.
    fn answering(answer: impl Into<Vec<u8>>) -> Self {
        let answer = answer.into();
        Self::start(move |mut stream| {
            while read_request(&mut stream).is_some() && stream.write_all(&answer).is_ok() {}
        })
    }

    fn url(&self) -> String {
        format!("http://127.0.0.1:{}/v2/_tr_offline", self.port)
    }

    fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

/// A request as it arrived; `None` when the client has closed the connection.
fn read_request(stream: &mut impl Read) -> Option<Vec<u8>> {
    let mut request = Vec::new();
    let mut buffer = vec![0; 64 * 1024];
    loop {
        match stream.read(&mut buffer) {
            Ok(0) | Err(_) => return None,
            Ok(count) => request.extend_from_slice(&buffer[..count]),
        }
        if is_complete(&request) {
            return Some(request);
        }
    }
}

fn is_complete(request: &[u8]) -> bool {
    let text = String::from_utf8_lossy(request);
    let Some((head, _)) = text.split_once("\r\n\r\n") else {
        return false;
    };
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("Content-Length: "))
        .map_or(0, |digits| digits.parse().unwrap());
    request.len() == head.len() + 4 + length
}

fn route(endpoint: &str) -> Route {
    Route {
        endpoint: endpoint.parse().unwrap(),
        ca_file: None,
        proxy: None,
        connect_timeout: Duration::from_secs(3),
        user_agent: "katalys-rust/0.1.0".to_owned(),
        idle_connections: 8,
    }
}

fn open(route: &Route) -> Transport {
    Transport::in_environment(route, &|_| None).unwrap()
}

fn to(server: &Server) -> Transport {
    open(&route(&server.url()))
}

fn post(transport: &Transport) -> Outcome {
    post_within(transport, Duration::from_secs(10))
}

fn post_within(transport: &Transport, limit: Duration) -> Outcome {
    transport.post(BODY, Instant::now() + limit)
}

#[track_caller]
fn failure(outcome: Outcome) -> Failure {
    match outcome {
        Outcome::Failed(failure) => {
            assert!(!failure.reason.contains("1001"), "{}", failure.reason);
            failure
        }
        other => panic!("not a failure: {other:?}"),
    }
}

fn answered(status: u16) -> Outcome {
    Outcome::Answered {
        status,
        retry_after: None,
    }
}

#[test]
fn head_and_body_arrive_in_one_piece() {
    let (sender, first_read) = mpsc::channel();
    let server = Server::start(move |mut stream| {
        let mut buffer = [0; 4096];
        let count = stream.read(&mut buffer).unwrap();
        sender.send(buffer[..count].to_vec()).unwrap();
        stream.write_all(RECEIVED).unwrap();
    });
    assert_eq!(post(&to(&server)), Outcome::Received);
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
        assert_eq!(transport.post(&body, end), Outcome::Received, "{size}");
        assert!(requests.recv().unwrap().ends_with(&body), "{size}");
    }
    assert_eq!(server.connections(), 1);
}

#[test]
fn connections_are_used_again_after_answers_that_ended() {
    for (answer, outcome) in [
        ("HTTP/1.1 204 No Content\r\n\r\n", Outcome::Received),
        (
            "HTTP/1.1 204 No Content\r\ncontent-length: 0\r\n\r\n",
            Outcome::Received,
        ),
        (
            "HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n",
            Outcome::Received,
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
fn connections_are_dropped_after_answers_that_did_not_end_well() {
    let long_body = format!(
        "HTTP/1.1 500 Oops\r\nContent-Length: 20000\r\n\r\n{}",
        "x".repeat(20000)
    );
    for (answer, outcome) in [
        (
            "HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n",
            Outcome::Received,
        ),
        ("HTTP/1.0 204 No Content\r\n\r\n", Outcome::Received),
        (
            "HTTP/1.1 204 No Content\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n",
            Outcome::Received,
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
fn retry_after_is_handed_on() {
    let server =
        Server::answering("HTTP/1.1 429 Slow\r\nretry-after: 7\r\nContent-Length: 0\r\n\r\n");
    let outcome = Outcome::Answered {
        status: 429,
        retry_after: Some(Duration::from_secs(7)),
    };
    assert_eq!(post(&to(&server)), outcome);
}

#[test]
fn a_connection_the_server_closed_is_replaced_unnoticed() {
    let (sender, closed) = mpsc::channel();
    let server = Server::start(move |mut stream| {
        read_request(&mut stream).unwrap();
        stream.write_all(RECEIVED).unwrap();
        drop(stream);
        sender.send(()).unwrap();
    });
    let transport = to(&server);
    for round in 1..=3 {
        assert_eq!(post(&transport), Outcome::Received);
        assert_eq!(server.connections(), round);
        closed.recv().unwrap();
    }
}

/// Sends `start`, then one byte every few milliseconds for as long as somebody listens.
fn trickle(mut stream: TcpStream, start: &[u8]) {
    read_request(&mut stream).unwrap();
    let mut sent = stream.write_all(start);
    while sent.is_ok() {
        thread::sleep(Duration::from_millis(5));
        sent = stream.write_all(b"x");
    }
}

#[test]
fn a_server_that_trickles_its_answer_is_cut_off_at_the_deadline() {
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
fn a_server_that_trickles_a_body_does_not_hold_up_its_status() {
    let server = Server::start(|stream| {
        trickle(stream, b"HTTP/1.1 503 Busy\r\nContent-Length: 999\r\n\r\n");
    });
    let started = Instant::now();
    assert_eq!(post(&to(&server)), answered(503));
    assert!(started.elapsed() < Duration::from_secs(3));
}

/// Takes whatever comes and says nothing until the client is gone.
fn silent_server() -> Server {
    Server::start(|mut stream| while matches!(stream.read(&mut [0; 1024]), Ok(1..)) {})
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
fn a_deadline_that_passed_is_a_timeout() {
    let server = Server::answering(RECEIVED);
    let transport = to(&server);
    assert_eq!(post(&transport), Outcome::Received);
    let late = failure(post_within(&transport, Duration::ZERO));
    assert_eq!(late.code, ErrorCode::Timeout);
}

#[test]
fn what_is_not_an_answer_is_named() {
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
fn a_head_without_end_is_given_up() {
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

fn closed_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

#[test]
fn a_refused_connection_is_named() {
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
        assert_eq!(post(&open(&route(&endpoint))), Outcome::Received);
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
                    assert_eq!(post(&transport), Outcome::Received);
                }
            });
        }
    });
    assert!(server.connections() <= 8, "{}", server.connections());
}

#[test]
fn no_more_connections_are_kept_than_asked_for() {
    let server = Server::answering(RECEIVED);
    let transport = open(&Route {
        idle_connections: 0,
        ..route(&server.url())
    });
    assert_eq!(post(&transport), Outcome::Received);
    assert_eq!(post(&transport), Outcome::Received);
    assert_eq!(server.connections(), 2);
}

#[test]
fn a_user_agent_cannot_smuggle_a_header() {
    let route = Route {
        user_agent: "x\r\nEvil: 1".to_owned(),
        ..route("http://127.0.0.1/")
    };
    let error = Transport::in_environment(&route, &|_| None)
        .unwrap_err()
        .remove(0);
    assert_eq!(error.setting, "user_agent");
}

/// An authority that signs certificates for one test.
struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    file: std::path::PathBuf,
}

impl Authority {
    fn new(name: &str) -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let file = std::env::temp_dir().join(format!("katalys-{}-{name}.pem", std::process::id()));
        std::fs::write(&file, issuer.pem()).unwrap();
        Self { issuer, file }
    }

    /// The TLS side of a server for `host`, changed as the test needs.
    fn server(&self, host: &str, change: impl FnOnce(&mut CertificateParams)) -> Arc<ServerConfig> {
        let mut params = CertificateParams::new([host.to_owned()]).unwrap();
        change(&mut params);
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(
                vec![certificate.der().clone()],
                PrivateKeyDer::try_from(key.serialize_der()).unwrap(),
            )
            .unwrap();
        Arc::new(config)
    }
}

impl Drop for Authority {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.file);
    }
}

fn answer_over_tls(stream: TcpStream, config: &Arc<ServerConfig>) {
    let mut stream = StreamOwned::new(ServerConnection::new(Arc::clone(config)).unwrap(), stream);
    let mut buffer = [0; 4096];
    // Every request has to be one TLS record, or the second read would find half of it.
    while let Ok(count @ 1..) = stream.read(&mut buffer) {
        assert!(is_complete(&buffer[..count]));
        stream.write_all(RECEIVED).unwrap();
    }
}

fn tls_server(config: Arc<ServerConfig>) -> Server {
    Server::start(move |stream| answer_over_tls(stream, &config))
}

fn tls_route(server: &Server, ca_file: Option<&Authority>) -> Route {
    Route {
        ca_file: ca_file.map(|authority| authority.file.clone()),
        ..route(&format!("https://localhost:{}/v2", server.port))
    }
}

#[test]
fn tls_works_with_the_authority_given_and_keeps_connections() {
    let authority = Authority::new("given");
    let server = tls_server(authority.server("localhost", |_| {}));
    let transport = open(&tls_route(&server, Some(&authority)));
    for _ in 0..5 {
        assert_eq!(post(&transport), Outcome::Received);
    }
    assert_eq!(server.connections(), 1);
}

#[test]
fn the_authority_may_come_from_the_environment() {
    let authority = Authority::new("environment");
    let server = tls_server(authority.server("localhost", |_| {}));
    let path = authority.file.to_str().unwrap().to_owned();
    let environment = |name: &str| (name == "SSL_CERT_FILE").then(|| path.clone());
    let transport = Transport::in_environment(&tls_route(&server, None), &environment).unwrap();
    assert_eq!(post(&transport), Outcome::Received);
}

#[test]
fn certificates_that_do_not_verify_are_named() {
    let authority = Authority::new("trusted");
    let other = Authority::new("other");
    let expire = |params: &mut CertificateParams| {
        params.not_before = date_time_ymd(2020, 1, 1);
        params.not_after = date_time_ymd(2021, 1, 1);
    };
    for (config, trusted, words) in [
        (authority.server("localhost", |_| {}), None, "not signed by"),
        (
            authority.server("localhost", |_| {}),
            Some(&other),
            "not signed by",
        ),
        (
            authority.server("example.com", |_| {}),
            Some(&authority),
            "another name",
        ),
        (
            authority.server("localhost", expire),
            Some(&authority),
            "expired",
        ),
    ] {
        let server = tls_server(config);
        let failure = failure(post(&open(&tls_route(&server, trusted))));
        assert_eq!(failure.code, ErrorCode::Certificate, "{}", failure.reason);
        assert!(failure.reason.contains(words), "{}", failure.reason);
    }
}

#[test]
fn a_server_without_tls_is_named() {
    let server = Server::start(|mut stream| {
        let _ = stream.read(&mut [0; 1024]);
        let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n");
        let _ = stream.shutdown(Shutdown::Write);
    });
    let failure = failure(post(&open(&tls_route(&server, None))));
    assert_eq!(failure.code, ErrorCode::Tls, "{}", failure.reason);
}

#[test]
fn a_handshake_that_hangs_ends_with_the_connect_limit() {
    let server = silent_server();
    let transport = open(&Route {
        connect_timeout: Duration::from_millis(200),
        ..tls_route(&server, None)
    });
    let started = Instant::now();
    let failure = failure(post(&transport));
    assert_eq!(failure.code, ErrorCode::Timeout);
    assert!(failure.reason.contains("connecting"), "{}", failure.reason);
    assert!(started.elapsed() < Duration::from_secs(2));
}

#[test]
fn a_wrong_authority_file_is_named() {
    let missing = Route {
        ca_file: Some("/nowhere/ca.pem".into()),
        ..route("https://localhost/")
    };
    let error = Transport::in_environment(&missing, &|_| None)
        .unwrap_err()
        .remove(0);
    assert_eq!(error.setting, "ca_file");
    assert!(error.reason.contains("/nowhere/ca.pem"), "{}", error.reason);
    let this = |name: &str| (name == "SSL_CERT_FILE").then(|| "/proc/self/status".to_owned());
    let error = Transport::in_environment(&route("https://localhost/"), &this)
        .unwrap_err()
        .remove(0);
    assert_eq!(error.setting, "SSL_CERT_FILE");
}

/// A proxy that answers CONNECT with `answer`, sends on what it was asked in one read, and then
/// goes on as the endpoint itself.
fn proxy(
    answer: &'static str,
    beyond: Option<Arc<ServerConfig>>,
) -> (Server, mpsc::Receiver<String>) {
    let (sender, asked) = mpsc::channel();
    let server = Server::start(move |mut stream| {
        let mut buffer = [0; 4096];
        let count = stream.read(&mut buffer).unwrap();
        let _ = sender.send(String::from_utf8_lossy(&buffer[..count]).into_owned());
        stream.write_all(answer.as_bytes()).unwrap();
        if let Some(config) = &beyond {
            answer_over_tls(stream, config);
        }
    });
    (server, asked)
}

fn proxied_route(proxy: &Server, ca_file: Option<&Authority>) -> Route {
    Route {
        ca_file: ca_file.map(|authority| authority.file.clone()),
        proxy: Some(format!("http://shop:geheim@127.0.0.1:{}", proxy.port)),
        ..route("https://db.example.com/v2")
    }
}

#[test]
fn a_proxy_is_asked_for_a_tunnel_once() {
    let authority = Authority::new("beyond");
    let config = authority.server("db.example.com", |_| {});
    let (proxy, asked) = proxy("HTTP/1.1 200 Connected\r\n\r\n", Some(config));
    let transport = open(&proxied_route(&proxy, Some(&authority)));
    for _ in 0..3 {
        assert_eq!(post(&transport), Outcome::Received);
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
fn what_a_proxy_does_wrong_is_its_own_failure() {
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
    let nobody = Server {
        port: closed_port(),
        connections: Arc::default(),
    };
    let failure = failure(post(&open(&proxied_route(&nobody, None))));
    assert_eq!(failure.code, ErrorCode::Proxy, "{}", failure.reason);
}

#[test]
fn a_proxy_that_trickles_is_cut_off_at_the_connect_limit() {
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
fn beyond_the_proxy_failures_are_the_endpoints() {
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

const LONG: Duration = Duration::from_secs(10);
const UNAVAILABLE: &[u8] = b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n";

/// A TLS server that handles each connection, after the handshake, as the test says.
fn tls_server_that(
    config: Arc<ServerConfig>,
    handle: impl Fn(&mut StreamOwned<ServerConnection, TcpStream>) + Send + Sync + 'static,
) -> Server {
    Server::start(move |stream| {
        let tls = ServerConnection::new(Arc::clone(&config)).unwrap();
        handle(&mut StreamOwned::new(tls, stream));
    })
}

/// Writes each piece as a TLS record, all of them in one segment.
fn write_records(stream: &mut StreamOwned<ServerConnection, TcpStream>, pieces: &[&[u8]]) {
    for piece in pieces {
        stream.conn.writer().write_all(piece).unwrap();
    }
    while stream.conn.wants_write() {
        stream.conn.write_tls(&mut stream.sock).unwrap();
    }
}

/// An answer of `size` bytes.
fn padded(size: usize) -> Vec<u8> {
    let filler = "x".repeat(size - "HTTP/1.1 204 No Content\r\nX: \r\n\r\n".len());
    format!("HTTP/1.1 204 No Content\r\nX: {filler}\r\n\r\n").into_bytes()
}

/// What a server sends after the answer to a connection's first request.
type Addition = fn(&mut StreamOwned<ServerConnection, TcpStream>);

#[test]
fn an_answer_that_came_with_the_previous_one_is_no_receipt() {
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
            // Whatever comes now on this connection is refused.
            while read_request(stream).is_some() && stream.write_all(UNAVAILABLE).is_ok() {}
        });
        let transport = open(&tls_route(&server, Some(&authority)));
        for round in 1..=3 {
            assert_eq!(post(&transport), Outcome::Received, "{name}");
            sent.recv_timeout(LONG).expect("the server was asked");
            assert_eq!(server.connections(), round, "{name}");
        }
    }
}

#[test]
fn an_answer_that_comes_before_the_next_request_is_no_receipt() {
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
        assert_eq!(post(&transport), Outcome::Received);
        sent.recv_timeout(LONG).expect("the server was asked");
        assert_eq!(server.connections(), round);
    }
}

#[test]
fn what_tls_itself_says_between_two_answers_is_no_input() {
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
        assert_eq!(post(&transport), Outcome::Received);
        sent.recv_timeout(LONG).expect("the server was asked");
    }
    assert_eq!(server.connections(), 1);
}

#[test]
fn an_answer_before_the_request_is_no_receipt() {
    let authority = Authority::new("early");
    let mut config = authority.server("localhost", |_| {});
    Arc::get_mut(&mut config).unwrap().send_half_rtt_data = true;
    // The answer leaves with the server's part of the handshake.
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
    // The same in a tunnel, right behind the proxy's own answer.
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
fn a_plain_server_that_speaks_first_is_seen() {
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
fn a_server_that_closes_a_new_connection_has_not_spoken() {
    let server = Server::start(drop);
    assert_eq!(failure(post(&to(&server))).code, ErrorCode::Disconnected);
}

/// A server that reads the head of a request, answers, and reads on when it is told to.
fn hasty_server(answer: &'static [u8]) -> Server {
    Server::start(move |mut stream| {
        let mut request = Vec::new();
        let mut buffer = [0; 1024];
        while !request.windows(4).any(|part| part == b"\r\n\r\n") {
            let count = stream.read(&mut buffer).unwrap();
            request.extend_from_slice(&buffer[..count]);
        }
        stream.write_all(answer).unwrap();
        // With more unread than the system keeps for a reader, the client has to notice.
        thread::sleep(Duration::from_millis(50));
        while matches!(stream.read(&mut buffer), Ok(1..)) {}
    })
}

#[test]
fn a_receipt_for_half_a_request_is_none() {
    let large = vec![b'x'; 16 * 1024 * 1024];
    let server = hasty_server(RECEIVED);
    let limit = Instant::now() + LONG;
    let failed = failure(to(&server).post(&large, limit));
    assert_eq!(failed.code, ErrorCode::Protocol, "{}", failed.reason);
    let refusing = hasty_server(b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n");
    let limit = Instant::now() + LONG;
    assert_eq!(to(&refusing).post(&large, limit), answered(413));
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
        assert_eq!(post(&transport), Outcome::Received);
    }
    assert_eq!(proxy.connections(), 1);
}
