//! Which certificate authorities a route trusts.

use std::fs;
use std::path::Path;

use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use ureq::tls::{Certificate, PemItem, RootCerts, parse_pem};

use super::proxy::Environment;
use super::transport::RouteError;

/// The given file's authorities alone, else those of `SSL_CERT_FILE`, else Mozilla's.
pub(crate) fn roots(
    ca_file: Option<&Path>,
    environment: Environment,
) -> Result<RootCerts, RouteError> {
    if let Some(path) = ca_file {
        return read("ca_file", path);
    }
    match environment("SSL_CERT_FILE").filter(|path| !path.is_empty()) {
        Some(path) => read("SSL_CERT_FILE", Path::new(&path)),
        None => Ok(RootCerts::WebPki),
    }
}

fn read(setting: &'static str, path: &Path) -> Result<RootCerts, RouteError> {
    let error = |reason: String| RouteError { setting, reason };
    let pem = fs::read(path)
        .map_err(|cause| error(format!("cannot be read: {} ({cause})", path.display())))?;
    let certificates = usable_certificates(&pem)
        .map_err(|cause| error(format!("is not valid PEM: {} ({cause})", path.display())))?;
    if certificates.is_empty() {
        return Err(error(format!(
            "holds no certificate in PEM form: {}",
            path.display()
        )));
    }
    Ok(RootCerts::from(certificates))
}

/// What ureq would silently leave out is left out here, so that an empty set is seen.
fn usable_certificates(pem: &[u8]) -> Result<Vec<Certificate<'static>>, ureq::Error> {
    let mut certificates = Vec::new();
    for item in parse_pem(pem) {
        if let PemItem::Certificate(certificate) = item?
            && RootCertStore::empty()
                .add(CertificateDer::from_slice(certificate.der()))
                .is_ok()
        {
            certificates.push(certificate);
        }
    }
    Ok(certificates)
}
