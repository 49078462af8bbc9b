//! The certificate authorities that a route trusts.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arc_swap::ArcSwapOption;
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use ureq::tls::{Certificate, PemItem, parse_pem};
use webpki_roots::TLS_SERVER_ROOTS;

use super::route::{Environment, RouteError};

/// The authorities of a route. A file is read at once, but parsed in full only for the first
/// connection: the bundle of a system holds hundreds of certificates.
pub(crate) enum Trust {
    Mozilla,
    Pem { file: PathBuf, pem: Arc<Vec<u8>> },
}

impl Trust {
    /// The authorities of the given file alone, or else of `SSL_CERT_FILE`, or else Mozilla's.
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

    /// The file that replaces Mozilla's authorities.
    pub(crate) fn file(&self) -> Option<&Path> {
        match self {
            Self::Mozilla => None,
            Self::Pem { file, .. } => Some(file),
        }
    }

    /// The authorities in the form of rustls, without those it cannot use.
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

/// Reads a file, which must hold at least one usable certificate.
fn read(setting: &'static str, path: &Path) -> Result<Trust, RouteError> {
    let error = |reason: String| RouteError { setting, reason };
    let pem = fs::read(path)
        .map_err(|cause| error(format!("cannot be read: {} ({cause})", path.display())))?;
    let file = path.to_owned();
    if let Some(last) = LAST.load_full().filter(|last| **last == pem) {
        return Ok(Trust::Pem { file, pem: last });
    }
    if certificates(&pem).any(|certificate| is_usable(&certificate)) {
        let pem = Arc::new(pem);
        LAST.store(Some(Arc::clone(&pem)));
        return Ok(Trust::Pem { file, pem });
    }
    Err(error(format!(
        "holds no certificate of an authority in PEM form: {}",
        path.display()
    )))
}

/// The bundle that was read last, shared with the next client: that of a system takes 200 KiB. Not
/// behind a lock, which could be held during a fork.
static LAST: ArcSwapOption<Vec<u8>> = ArcSwapOption::const_empty();

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
