//! Which certificate authorities a route trusts.

use std::fs;
use std::path::{Path, PathBuf};

use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use ureq::tls::{Certificate, PemItem, parse_pem};
use webpki_roots::TLS_SERVER_ROOTS;

use super::proxy::Environment;
use super::transport::RouteError;

/// The authorities of a route. A file is read at once, but a system's bundle holds hundreds of
/// certificates, so most of the reading is left to the first connection.
pub(crate) enum Trust {
    Mozilla,
    Pem { file: PathBuf, pem: Vec<u8> },
}

impl Trust {
    /// The given file's authorities alone, else those of `SSL_CERT_FILE`, else Mozilla's.
    pub(crate) fn choose(
        ca_file: Option<&Path>,
        environment: Environment,
    ) -> Result<Self, RouteError> {
        if let Some(path) = ca_file {
            return read("ca_file", path);
        }
        match environment("SSL_CERT_FILE").filter(|path| !path.is_empty()) {
            Some(path) => read("SSL_CERT_FILE", Path::new(&path)),
            None => Ok(Self::Mozilla),
        }
    }

    /// The file that takes the place of Mozilla's authorities.
    pub(crate) fn file(&self) -> Option<&Path> {
        match self {
            Self::Mozilla => None,
            Self::Pem { file, .. } => Some(file),
        }
    }

    /// In the form rustls takes, without what it cannot use.
    pub(crate) fn roots(&self) -> RootCertStore {
        let mut roots = RootCertStore::empty();
        match self {
            Self::Mozilla => roots.extend(TLS_SERVER_ROOTS.iter().cloned()),
            Self::Pem { pem, .. } => {
                for certificate in certificates(pem) {
                    let _ = roots.add(CertificateDer::from_slice(certificate.der()));
                }
            }
        }
        roots
    }
}

/// Reads the file, and makes sure that there is at least one certificate in it to trust.
fn read(setting: &'static str, path: &Path) -> Result<Trust, RouteError> {
    let error = |reason: String| RouteError { setting, reason };
    let pem = fs::read(path)
        .map_err(|cause| error(format!("cannot be read: {} ({cause})", path.display())))?;
    if certificates(&pem).any(|certificate| is_usable(&certificate)) {
        let file = path.to_owned();
        return Ok(Trust::Pem { file, pem });
    }
    Err(error(format!(
        "holds no certificate of an authority in PEM form: {}",
        path.display()
    )))
}

fn certificates(pem: &[u8]) -> impl Iterator<Item = Certificate<'static>> {
    parse_pem(pem).filter_map(|item| match item {
        Ok(PemItem::Certificate(certificate)) => Some(certificate),
        _ => None,
    })
}

fn is_usable(certificate: &Certificate) -> bool {
    RootCertStore::empty()
        .add(CertificateDer::from_slice(certificate.der()))
        .is_ok()
}
