//! The certificates of the TLS listeners: a valid one, and one for each kind of problem.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, KeyUsagePurpose,
    date_time_ymd,
};
use rustls::ServerConfig;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use crate::shared::PROXIED_NAME;

/// TLS configurations by kind, and the files for clients.
pub struct Certificates {
    pub good: Arc<ServerConfig>,
    pub expired: Arc<ServerConfig>,
    pub wrong_host: Arc<ServerConfig>,
    pub self_signed: Arc<ServerConfig>,
    pub ca_file: PathBuf,
    pub self_signed_file: PathBuf,
    /// An existing file without a certificate.
    pub empty_ca_file: PathBuf,
}

impl Certificates {
    /// Creates the certificates, and writes those that clients may trust into `directory`.
    pub fn create(directory: &Path) -> io::Result<Self> {
        fs::create_dir_all(directory)?;
        let directory = fs::canonicalize(directory)?;
        let ca = certificate_authority().map_err(io::Error::other)?;
        let (self_signed, self_signed_pem) = self_signed()?;
        let ca_file = directory.join("ca.pem");
        let self_signed_file = directory.join("self-signed.pem");
        let empty_ca_file = directory.join("no-certificate.pem");
        fs::write(&ca_file, ca.pem())?;
        fs::write(&self_signed_file, self_signed_pem)?;
        fs::write(&empty_ca_file, "There is no certificate in this file.\n")?;
        Ok(Self {
            good: signed(&ca, &params("localhost")?)?,
            expired: signed(&ca, &expired(params("localhost")?))?,
            wrong_host: signed(&ca, &params("other.example")?)?,
            self_signed,
            ca_file,
            self_signed_file,
            empty_ca_file,
        })
    }
}

fn certificate_authority() -> Result<CertifiedIssuer<'static, KeyPair>, rcgen::Error> {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params
        .distinguished_name
        .push(DnType::CommonName, "katalys-receiver test CA");
    CertifiedIssuer::self_signed(params, KeyPair::generate()?)
}

fn params(host: &str) -> io::Result<CertificateParams> {
    let mut names = vec![host.to_owned()];
    if host == "localhost" {
        names.push("127.0.0.1".to_owned());
        names.push(PROXIED_NAME.to_owned());
    }
    let mut params = CertificateParams::new(names).map_err(io::Error::other)?;
    params.distinguished_name.push(DnType::CommonName, host);
    Ok(params)
}

fn expired(mut params: CertificateParams) -> CertificateParams {
    params.not_before = date_time_ymd(2019, 1, 1);
    params.not_after = date_time_ymd(2020, 1, 1);
    params
}

fn signed(
    ca: &CertifiedIssuer<'static, KeyPair>,
    params: &CertificateParams,
) -> io::Result<Arc<ServerConfig>> {
    let key = KeyPair::generate().map_err(io::Error::other)?;
    let certificate = params.signed_by(&key, ca).map_err(io::Error::other)?;
    server_config(certificate.der(), &key)
}

/// Not a CA: only a client that trusts this very certificate accepts it.
fn self_signed() -> io::Result<(Arc<ServerConfig>, String)> {
    let key = KeyPair::generate().map_err(io::Error::other)?;
    let certificate = params("localhost")?
        .self_signed(&key)
        .map_err(io::Error::other)?;
    Ok((server_config(certificate.der(), &key)?, certificate.pem()))
}

fn server_config(
    certificate: &CertificateDer<'static>,
    key: &KeyPair,
) -> io::Result<Arc<ServerConfig>> {
    let key = PrivateKeyDer::Pkcs8(key.serialize_der().into());
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .and_then(|builder| {
            let builder = builder.with_no_client_auth();
            builder.with_single_cert(vec![certificate.clone()], key)
        })
        .map(Arc::new)
        .map_err(io::Error::other)
}
