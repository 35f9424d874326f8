//! The server's certificate.

use std::path::Path;
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tempo_core::{Error, ErrorKind};
use tokio_rustls::TlsAcceptor;

/// Reads a certificate chain and its key, for HTTP/2 and HTTP/1.1 by ALPN.
///
/// # Errors
///
/// A file cannot be read, or the two do not fit together.
pub(crate) fn acceptor(certificate: &Path, key: &Path) -> Result<TlsAcceptor, Error> {
    let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_file_iter(certificate)
        .and_then(Iterator::collect)
        .map_err(|error| unreadable("--tls-cert", certificate, &error))?;
    let private = PrivateKeyDer::from_pem_file(key).map_err(|error| unreadable("--tls-key", key, &error))?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .and_then(|config| config.with_no_client_auth().with_single_cert(chain, private));
    let mut config = config.map_err(|error| {
        Error::new(ErrorKind::BadConfiguration, format!("--tls-cert and --tls-key cannot be used: {error}"))
    })?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}

fn unreadable(flag: &str, path: &Path, error: &rustls::pki_types::pem::Error) -> Error {
    let kind = match error {
        rustls::pki_types::pem::Error::Io(_) => ErrorKind::NotFound,
        _ => ErrorKind::BadConfiguration,
    };
    Error::new(kind, format!("{flag}: cannot read {} as PEM: {error}", path.display()))
}
