//! Certificates and handshakes.

use super::*;

#[test]
fn tls_works_with_a_given_authority_and_keeps_connections() {
    let authority = Authority::new("given");
    let server = tls_server(authority.server("localhost", |_| {}));
    let transport = open(&tls_route(&server, Some(&authority)));
    for _ in 0..5 {
        assert_eq!(post(&transport), ExchangeOutcome::Received);
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
    assert_eq!(post(&transport), ExchangeOutcome::Received);
}

#[test]
fn certificates_that_do_not_verify_have_a_reason() {
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
fn a_server_without_tls_is_a_tls_error() {
    let server = Server::start(|mut stream| {
        let _ = stream.read(&mut [0; 1024]);
        let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n");
        let _ = stream.shutdown(Shutdown::Write);
    });
    let failure = failure(post(&open(&tls_route(&server, None))));
    assert_eq!(failure.code, ErrorCode::Tls, "{}", failure.reason);
}

#[test]
fn a_handshake_that_hangs_ends_at_the_connect_timeout() {
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
fn an_unusable_authority_file_is_reported_with_its_setting() {
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
