//! The other ports: TLS with valid and invalid certificates, proxies, and ports without a server.

mod client;

use std::fs;
use std::io::{BufRead, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use client::{Raw, Receiver, is_204, post, status};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

/// Sends one request over TLS; returns the error message of rustls.
fn tls_post(receiver: &Receiver, kind: &str, trusted: Option<&str>) -> Result<String, String> {
    let mut roots = RootCertStore::empty();
    if let Some(key) = trusted {
        let file = receiver.ready[key].as_str().unwrap();
        roots
            .add(CertificateDer::from_pem_file(file).unwrap())
            .unwrap();
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let session = ClientConnection::new(Arc::new(config), "localhost".try_into().unwrap()).unwrap();
    let socket = Raw::connect_to(&receiver.address(&format!("/tls/{kind}"))).socket;
    let mut tls = StreamOwned::new(session, socket);
    let request = post(&format!("/run/{kind}/204-close"), "{}");
    tls.write_all(request.as_bytes())
        .map_err(|error| error.to_string())?;
    let mut answer = String::new();
    tls.read_to_string(&mut answer)
        .map_err(|error| error.to_string())?;
    Ok(answer)
}

#[test]
fn each_certificate_has_its_own_problem() {
    let receiver = Receiver::start(&[]);
    let result = |kind, trusted| tls_post(&receiver, kind, trusted);
    let problem = |kind, trusted| result(kind, trusted).unwrap_err();
    let ca = Some("ca_file");
    assert_eq!(status(&result("good", ca).unwrap()), 204);
    assert_eq!(
        status(&result("self_signed", Some("self_signed_file")).unwrap()),
        204
    );
    assert!(problem("good", None).contains("UnknownIssuer"));
    assert!(problem("self_signed", ca).contains("UnknownIssuer"));
    assert!(
        problem("expired", ca).contains("expired"),
        "{}",
        problem("expired", ca)
    );
    assert!(problem("wrong_host", ca).contains("not valid for name"));

    let arrived = receiver.get("/_recorded");
    assert_eq!(arrived.as_array().unwrap().len(), 2);
    assert_eq!(arrived[0]["listener"], "tls.good");
}

#[test]
fn failed_handshakes_are_counted() {
    let receiver = Receiver::start(&[]);
    tls_post(&receiver, "good", None).unwrap_err();
    // The client has left before the server reads its alert.
    let failed = || receiver.get("/_stats")["listeners"]["tls.good"]["handshakes_failed"].clone();
    while failed() != 1 {
        std::thread::yield_now();
    }
}

#[test]
fn the_mute_port_accepts_and_sends_nothing() {
    let receiver = Receiver::start(&[]);
    let mut raw = Raw::connect_to(&receiver.address("/tls/mute"));
    raw.send("\x16\x03\x01");
    raw.socket
        .set_read_timeout(Some(Duration::from_millis(100)))
        .unwrap();
    let kind = raw.socket.read(&mut [0]).unwrap_err().kind();
    assert!(
        matches!(kind, ErrorKind::WouldBlock | ErrorKind::TimedOut),
        "{kind}"
    );
}

#[test]
fn one_port_refuses_and_one_never_answers() {
    let receiver = Receiver::start(&[]);
    let kind = TcpStream::connect(receiver.address("/refused"))
        .unwrap_err()
        .kind();
    assert_eq!(kind, ErrorKind::ConnectionRefused);
    if receiver.ready["unanswered"].is_null() {
        assert_ne!(
            std::env::consts::OS,
            "linux",
            "on Linux, a full queue drops connection attempts"
        );
        return;
    }
    let address = receiver.address("/unanswered").parse().unwrap();
    let result = TcpStream::connect_timeout(&address, Duration::from_millis(200));
    assert_eq!(result.unwrap_err().kind(), ErrorKind::TimedOut);
}

/// Requests a tunnel to the plain listener.
fn tunnel(receiver: &Receiver, proxy: &str, headers: &str) -> (Raw, u16) {
    let mut raw = Raw::connect_to(&receiver.address(proxy));
    let target = receiver.address("/url");
    raw.send(&format!(
        "CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n{headers}\r\n"
    ));
    let code = status(&raw.head());
    (raw, code)
}

#[test]
fn requests_through_a_tunnel_are_marked() {
    let receiver = Receiver::start(&[]);
    let (mut raw, code) = tunnel(&receiver, "/proxy", "");
    assert_eq!(code, 200);
    assert!(is_204(&raw.exchange(&post("/run/tunnel/204", "{}"))));
    assert_eq!(receiver.get("/_recorded/tunnel?wait=1")[0]["via"], "proxy");
    let all = receiver.get("/_recorded");
    assert_eq!(all[0]["method"], "CONNECT");
    assert_eq!(all[0]["path"], receiver.address("/url"));

    Raw::connect(&receiver).exchange(&post("/run/direct/204", "{}"));
    assert!(receiver.get("/_recorded/direct?wait=1")[0]["via"].is_null());
}

#[test]
fn a_tunnel_closes_with_its_origin() {
    let receiver = Receiver::start(&[]);
    for step in ["close", "reset-after"] {
        let (mut raw, _) = tunnel(&receiver, "/proxy", "");
        raw.send(&post(&format!("/run/{step}/{step}"), "{}"));
        let end = raw.end();
        assert!(
            matches!(end, Ok(ref bytes) if bytes.is_empty())
                || end == Err(ErrorKind::ConnectionReset)
        );
    }
}

#[test]
fn the_proxy_with_authentication_requires_its_password() {
    let receiver = Receiver::start(&[]);
    let wrong = "Proxy-Authorization: Basic d3Jvbmc=\r\n";
    let right = "Proxy-Authorization: Basic dXNlcjpwYXNz\r\n";
    assert_eq!(tunnel(&receiver, "/proxy_auth", "").1, 407);
    assert_eq!(tunnel(&receiver, "/proxy_auth", wrong).1, 407);
    let (mut raw, code) = tunnel(&receiver, "/proxy_auth", right);
    assert_eq!(code, 200);
    assert!(is_204(&raw.exchange(&post("/run/auth/204", "{}"))));
    assert_eq!(
        receiver.get("/_recorded/auth?wait=1")[0]["via"],
        "proxy_auth"
    );
}

#[test]
fn a_proxy_accepts_the_absolute_form() {
    let receiver = Receiver::start(&[]);
    let url = format!(
        "{}/run/absolute/204",
        receiver.ready["url"].as_str().unwrap()
    );
    let plain = Raw::connect_to(&receiver.address("/proxy")).exchange(&post(&url, "{}"));
    assert!(is_204(&plain));
    let refused = Raw::connect_to(&receiver.address("/proxy_auth")).exchange(&post(&url, "{}"));
    assert_eq!(status(&refused), 407);
    let recorded = receiver.get("/_recorded/absolute?wait=1");
    assert_eq!(recorded.as_array().unwrap().len(), 1);
    assert_eq!(recorded[0]["via"], "proxy");
}

#[test]
fn it_exits_when_stdin_closes_and_removes_its_files() {
    let mut receiver = Receiver::start(&[]);
    let ca_file = receiver.ready["ca_file"].as_str().unwrap().to_owned();
    assert!(
        fs::read_to_string(&ca_file)
            .unwrap()
            .contains("BEGIN CERTIFICATE")
    );
    drop(receiver.child.stdin.take());
    assert!(receiver.child.wait().unwrap().success());
    assert!(!Path::new(&ca_file).exists());
}

#[test]
fn updates_are_printed() {
    let mut receiver = Receiver::start(&["--print"]);
    Raw::connect(&receiver).exchange(&post("/v2/_tr_offline", r#"{"order_id":"1001"}"#));
    let mut block = String::new();
    while !block.ends_with("\n\n") {
        receiver.stdout.read_line(&mut block).unwrap();
    }
    let expected = "── order update 1 · no User-Agent · 204\n{\n  \"order_id\": \"1001\"\n}\n\n";
    assert_eq!(block, expected);
}

#[test]
fn a_wrong_argument_is_a_usage_error() {
    let run = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_katalys-receiver"));
        let output = command
            .args(arguments)
            .stdin(Stdio::null())
            .output()
            .unwrap();
        (
            output.status.code(),
            String::from_utf8(output.stderr).unwrap(),
        )
    };
    let (code, message) = run(&["--port", "many"]);
    assert!(
        code == Some(2) && message.contains("not a port: many"),
        "{message}"
    );
    let (code, message) = run(&["--dance"]);
    assert!(
        code == Some(2) && message.contains("unknown argument: --dance"),
        "{message}"
    );
}
