//! The server's certificate, reloaded when its files change.

use std::error::Error as StdError;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rustls::ServerConfig;
use rustls::crypto::CryptoProvider;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use tempo_settings::{Error, ErrorKind, Flag, Reloadable, certificates_from_pem, private_key_from_pem};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::config::{CERT, KEY};
use super::transport::Transport;

/// Maximum age of the loaded certificate. A handshake after that checks its files.
const MAX_AGE: Duration = Duration::from_secs(1);

/// The TLS acceptor, for HTTP/2 and HTTP/1.1 by ALPN.
#[derive(Clone)]
pub(crate) struct Tls {
    acceptor: TlsAcceptor,
    certificate: Reloadable<CertifiedKey>,
}

impl Tls {
    /// Reads a certificate chain and its key.
    ///
    /// # Errors
    ///
    /// A file cannot be read, or the key does not match the certificate.
    pub(crate) fn load(certificate: &Path, key: &Path) -> Result<Self, Error> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let files = vec![(CERT.name, certificate.to_owned()), (KEY.name, key.to_owned())];
        let (parser, paths) = (Arc::clone(&provider), [certificate.to_owned(), key.to_owned()]);
        let certificate = Reloadable::load(files, move |contents| parse(&parser, &paths, contents))?;
        let config =
            ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().map_err(unusable)?;
        let resolver = Arc::new(Resolver(certificate.clone()));
        let mut config = config.with_no_client_auth().with_cert_resolver(resolver);
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(Self { acceptor: TlsAcceptor::from(Arc::new(config)), certificate })
    }

    /// Performs a TLS handshake, with the certificate that the files hold now.
    pub(crate) async fn accept(&self, stream: Transport) -> io::Result<TlsStream<Transport>> {
        self.certificate.current(MAX_AGE).await;
        self.acceptor.accept(stream).await
    }
}

/// Resolves to the certificate that was loaded last.
#[derive(Debug)]
struct Resolver(Reloadable<CertifiedKey>);

impl ResolvesServerCert for Resolver {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.0.latest())
    }
}

/// Parses the contents of the two files.
fn parse(provider: &CryptoProvider, paths: &[PathBuf; 2], contents: &[Vec<u8>]) -> Result<CertifiedKey, Error> {
    let [certificate, key] = contents else { return Err(unusable("expected two files")) };
    let [certificate_path, key_path] = paths;
    let chain = certificates_from_pem(certificate).map_err(|error| unreadable(&CERT, certificate_path, error))?;
    let key = private_key_from_pem(key).map_err(|error| unreadable(&KEY, key_path, error))?;
    CertifiedKey::from_der(chain, key, provider).map_err(unusable)
}

fn unreadable(flag: &Flag, path: &Path, error: impl Into<Box<dyn StdError + Send + Sync>>) -> Error {
    let problem = format!("--{}: cannot use {}", flag.name, path.display());
    Error::new(ErrorKind::BadConfiguration, problem).with_source(error)
}

fn unusable(cause: impl Into<Box<dyn StdError + Send + Sync>>) -> Error {
    Error::new(ErrorKind::BadConfiguration, "--tls-cert and --tls-key cannot be used").with_source(cause)
}
