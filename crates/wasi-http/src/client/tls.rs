//! TLS towards servers: which authorities are trusted, and the handshake.

use super::error::ConnectError;
use crate::egress::{Host, Notices, Target};
use anyhow::Context as _;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// Clones share sessions and what was already reported.
#[derive(Clone)]
pub(super) struct Tls {
    connector: TlsConnector,
    notices: Arc<Notices>,
    budget: Duration,
}

impl Tls {
    /// Trusts Mozilla's list and the authorities in `ca_files`.
    pub(super) fn new(ca_files: &[PathBuf], budget: Duration) -> anyhow::Result<Self> {
        let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
        for file in ca_files {
            add_authorities(&mut roots, file)
                .with_context(|| format!("cannot use {} as certificate authorities", file.display()))?;
        }
        // The provider is named, so that no process-wide default is needed and none is changed.
        let mut config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(Self { connector: Arc::new(config).into(), notices: Arc::default(), budget })
    }

    /// Makes a plain connection a TLS one. The certificate must be for the target's host.
    pub(super) async fn handshake(
        &self,
        target: &Target,
        stream: TcpStream,
    ) -> Result<TlsStream<TcpStream>, ConnectError> {
        let name = match target.host() {
            Host::Ip(address) => ServerName::from(*address),
            Host::Name(name) => ServerName::try_from(name.clone()).map_err(|_| ConnectError::TlsCertificate)?,
        };
        let handshake = self.connector.connect(name, stream);
        let result = timeout(self.budget, handshake).await.map_err(|_| ConnectError::TlsTimeout)?;
        result.map_err(|error| {
            let reason = ConnectError::from_tls(&error);
            let authority = target.authority();
            if matches!(reason, ConnectError::TlsCertificate) && self.notices.first(&authority) {
                tracing::warn!(
                    "the certificate of {authority} was not accepted: {error}; a private authority is trusted with `--http-ca FILE`"
                );
            }
            reason
        })
    }
}

fn add_authorities(roots: &mut RootCertStore, file: &Path) -> anyhow::Result<()> {
    let before = roots.len();
    for certificate in CertificateDer::pem_file_iter(file)? {
        roots.add(certificate?)?;
    }
    anyhow::ensure!(roots.len() > before, "expected PEM with at least one CERTIFICATE section");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;

    #[test]
    fn a_bad_authority_file_is_named() {
        let missing = Tls::new(&[PathBuf::from("no-such-file.pem")], Duration::ZERO).err().unwrap();
        assert!(format!("{missing:#}").contains("no-such-file.pem"), "{missing:#}");
        let mut empty = tempfile::NamedTempFile::new().unwrap();
        writeln!(empty, "nothing here").unwrap();
        let empty = Tls::new(&[empty.path().to_owned()], Duration::ZERO).err().unwrap();
        assert!(format!("{empty:#}").contains("expected PEM"), "{empty:#}");
    }
}
