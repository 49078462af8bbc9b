//! Checks the endpoint's certificates: subject, issuer and expiry. The verification is the same as for
//! sending; here its result is reported with the certificates.

use super::{Finding, Verdict};
use katalys_core::RouteChoice;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{
    ClientConfig, ClientConnection, DigitallySignedStruct, Error, RootCertStore, SignatureScheme,
};
use std::io::{self, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};
use x509_parser::prelude::{FromDer, X509Certificate};

/// A certificate that expires sooner gets a warning.
const EXPIRY_WARNING: i64 = 14 * 24 * 60 * 60;
const DAY: i64 = 24 * 60 * 60;

pub fn check(route: &RouteChoice, address: SocketAddr) -> Finding {
    match examine(route, address) {
        Ok(finding) => finding,
        Err(reason) => Finding::bad(
            "certificate",
            reason,
            "the server there is not the endpoint; check --endpoint and its port",
        ),
    }
}

fn examine(route: &RouteChoice, address: SocketAddr) -> Result<Finding, String> {
    let text = |error: &dyn std::fmt::Display| error.to_string();
    let provider = Arc::new(ring::default_provider());
    let verifier = Arc::new(RecordingVerifier::new(route, &provider)?);
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| text(&error))?
        .dangerous()
        .with_custom_certificate_verifier(Arc::clone(&verifier) as Arc<dyn ServerCertVerifier>)
        .with_no_client_auth();
    let host = route.host.trim_matches(['[', ']']).to_owned();
    let name = ServerName::try_from(host).map_err(|error| text(&error))?;
    let mut session =
        ClientConnection::new(Arc::new(config), name).map_err(|error| text(&error))?;
    let mut socket = TcpStream::connect_timeout(&address, route.connect_timeout)
        .map_err(|error| text(&error))?;
    let limit = Some(route.connect_timeout);
    socket
        .set_read_timeout(limit)
        .map_err(|error| text(&error))?;
    socket
        .set_write_timeout(limit)
        .map_err(|error| text(&error))?;
    let handshake = session.complete_io(&mut socket).map(drop);
    session.send_close_notify();
    let _ = session.write_tls(&mut socket).and_then(|_| socket.flush());
    let chain = verifier.chain();
    match (chain.is_empty(), handshake) {
        (true, Err(error)) if is_timeout(&error) => {
            let limit = route.connect_timeout.as_secs_f64();
            Err(format!("no TLS connection: no answer within {limit} s"))
        }
        (true, Err(error)) => Err(format!("no TLS connection: {error}")),
        (true, Ok(())) => Err("no TLS connection".to_owned()),
        (false, handshake) => Ok(assess(
            &chain,
            handshake.err().map(|error| error.to_string()),
        )),
    }
}

fn is_timeout(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut
    )
}

/// Describes a chain, and the error of its verification.
fn assess(chain: &[CertificateDer<'static>], refusal: Option<String>) -> Finding {
    let parsed: Vec<X509Certificate<'_>> = chain
        .iter()
        .filter_map(|der| {
            X509Certificate::from_der(der)
                .ok()
                .map(|(_, certificate)| certificate)
        })
        .collect();
    let Some(leaf) = parsed.first() else {
        return Finding::bad(
            "certificate",
            "the certificate cannot be parsed",
            "check --endpoint and its port",
        );
    };
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |now| now.as_secs());
    let now = i64::try_from(now).unwrap_or(i64::MAX);
    let ends = parsed
        .iter()
        .map(|one| one.validity().not_after.timestamp())
        .min();
    let left = ends.unwrap_or(now) - now;
    let names = leaf.subject_alternative_name().ok().flatten();
    let names: Vec<String> = names
        .iter()
        .flat_map(|extension| &extension.value.general_names)
        .map(shown_name)
        .collect();
    let whose = format!("for {}, by {}", names.join(", "), leaf.issuer());
    let until = if left < 0 {
        format!("it ended {} days ago", -left / DAY)
    } else {
        format!("it is valid for {} more days", left / DAY)
    };
    let found = format!("{whose}; {until}; {} in the chain", chain.len());
    match refusal {
        Some(refusal) => Finding::bad("certificate", format!("{found}; {refusal}"), ADVICE),
        None if left < EXPIRY_WARNING => Finding::new("certificate", Verdict::Warning, found)
            .advise("the endpoint's operator must renew it soon"),
        None => Finding::good("certificate", found),
    }
}

const ADVICE: &str = "if it has expired, check this machine's clock and wait for its renewal; if your \
    own proxy intercepts TLS, use --ca-file with its authority; otherwise send nothing: the server \
    is not the endpoint";

fn shown_name(name: &x509_parser::extensions::GeneralName<'_>) -> String {
    use x509_parser::extensions::GeneralName;
    match name {
        GeneralName::DNSName(name) => (*name).to_owned(),
        GeneralName::IPAddress(bytes) => match bytes {
            [a, b, c, d] => std::net::Ipv4Addr::new(*a, *b, *c, *d).to_string(),
            _ => "an IPv6 address".to_owned(),
        },
        _ => "another name".to_owned(),
    }
}

/// Verifies as usual, and records the server's certificates.
#[derive(Debug)]
struct RecordingVerifier {
    inner: Arc<WebPkiServerVerifier>,
    chain: Mutex<Vec<CertificateDer<'static>>>,
}

impl RecordingVerifier {
    fn new(route: &RouteChoice, provider: &Arc<CryptoProvider>) -> Result<Self, String> {
        let roots = Arc::new(roots(route)?);
        let inner = WebPkiServerVerifier::builder_with_provider(roots, Arc::clone(provider))
            .build()
            .map_err(|error| error.to_string())?;
        let chain = Mutex::default();
        Ok(Self { inner, chain })
    }

    fn chain(&self) -> Vec<CertificateDer<'static>> {
        self.chain
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

fn roots(route: &RouteChoice) -> Result<RootCertStore, String> {
    let Some(file) = &route.ca_file else {
        return Ok(RootCertStore {
            roots: webpki_roots::TLS_SERVER_ROOTS.to_vec(),
        });
    };
    let mut roots = RootCertStore::empty();
    let certificates = CertificateDer::pem_file_iter(file).map_err(|error| error.to_string())?;
    roots.add_parsable_certificates(certificates.flatten());
    Ok(roots)
}

impl ServerCertVerifier for RecordingVerifier {
    fn verify_server_cert(
        &self,
        leaf: &CertificateDer<'_>,
        others: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let chain = std::iter::once(leaf).chain(others);
        let chain = chain.map(|one| one.clone().into_owned()).collect();
        *self.chain.lock().unwrap_or_else(PoisonError::into_inner) = chain;
        self.inner.verify_server_cert(leaf, others, name, ocsp, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.inner
            .verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.inner
            .verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.inner.supported_verify_schemes()
    }
}
