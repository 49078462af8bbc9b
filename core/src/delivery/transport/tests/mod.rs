//! Exchanges with servers on the loopback interface, correct and faulty ones.

mod answers;
mod early_input;
mod failures;
mod proxies;
mod tls;

use super::*;
use crate::error::ErrorCode;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, date_time_ymd,
};
use rustls::pki_types::PrivateKeyDer;
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::{Duration, Instant};

const BODY: &[u8] = br#"{"site_id":"abcd.com","order_id":"1001","order_status":"paid"}"#;

const RECEIVED: &[u8] = b"HTTP/1.1 204 No Content\r\n\r\n";

/// A server that runs a closure for each connection, on a separate thread.
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

fn post(transport: &Transport) -> ExchangeOutcome {
    post_within(transport, Duration::from_secs(10))
}

fn post_within(transport: &Transport, limit: Duration) -> ExchangeOutcome {
    transport.post(BODY, Instant::now() + limit)
}

#[track_caller]
fn failure(outcome: ExchangeOutcome) -> Failure {
    match outcome {
        ExchangeOutcome::Failed(failure) => {
            assert!(!failure.reason.contains("1001"), "{}", failure.reason);
            failure
        }
        other => panic!("not a failure: {other:?}"),
    }
}

fn answered(status: u16) -> ExchangeOutcome {
    ExchangeOutcome::Answered {
        status,
        retry_after: None,
    }
}

/// Sends `start`, then one byte every few milliseconds until the client closes the connection.
fn trickle(mut stream: TcpStream, start: &[u8]) {
    read_request(&mut stream).unwrap();
    let mut sent = stream.write_all(start);
    while sent.is_ok() {
        thread::sleep(Duration::from_millis(5));
        sent = stream.write_all(b"x");
    }
}

/// Reads until the client closes the connection, and never answers.
fn silent_server() -> Server {
    Server::start(|mut stream| while matches!(stream.read(&mut [0; 1024]), Ok(1..)) {})
}

fn closed_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

/// A certificate authority for one test.
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

    /// The TLS configuration of a server for `host`; `change` adapts its certificate.
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
    // A request is one TLS record; otherwise a read would return a part of it.
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

const LONG: Duration = Duration::from_secs(10);

const UNAVAILABLE: &[u8] = b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n";

/// A TLS server that runs a closure for each connection after the handshake.
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

/// A proxy that answers CONNECT with `answer`, passes the request to the test, and then acts as the
/// endpoint.
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
