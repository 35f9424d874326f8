//! TLS to servers: trusted authorities, reloaded when their files change, and the handshake.

use std::error::Error as StdError;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use tempo_core::ReportOnce;
use tempo_settings::{Error, ErrorKind, Host, Reloadable, certificates_from_pem};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::error::ConnectError;
use crate::egress::Target;

/// The flag of the authority files.
const CA: &str = "http-ca";

/// Maximum age of the loaded authorities. A handshake after that checks their files.
const MAX_AGE: Duration = Duration::from_secs(1);

/// Opens TLS connections. Clones share sessions and reported hosts.
#[derive(Clone)]
pub(super) struct Tls {
    connector: Reloadable<TlsConnector>,
    reported: Arc<ReportOnce>,
    budget: Duration,
}

impl Tls {
    /// Trusts Mozilla's list and the authorities in `ca_files`.
    ///
    /// # Errors
    ///
    /// A file cannot be read, or holds no certificate.
    pub(super) fn new(ca_files: &[PathBuf], budget: Duration) -> Result<Self, Error> {
        let files = ca_files.iter().map(|file| (CA, file.clone())).collect();
        let names = ca_files.to_vec();
        let connector = Reloadable::load(files, move |contents| connector(&names, contents))?;
        Ok(Self { connector, reported: Arc::default(), budget })
    }

    /// Performs a TLS handshake. The certificate must be valid for the target's host.
    pub(super) async fn handshake(
        &self,
        target: &Target,
        stream: TcpStream,
    ) -> Result<TlsStream<TcpStream>, ConnectError> {
        let name = match target.host() {
            Host::Ip(address) => ServerName::from(*address),
            Host::Name(name) => ServerName::try_from(name.clone()).map_err(|_| ConnectError::TlsCertificate)?,
        };
        let handshake = async { self.connector.current(MAX_AGE).await.connect(name, stream).await };
        let result = timeout(self.budget, handshake).await.map_err(|_| ConnectError::TlsTimeout)?;
        result.map_err(|error| {
            let reason = ConnectError::from_tls(&error);
            let authority = target.authority();
            if matches!(reason, ConnectError::TlsCertificate) && self.reported.is_first(&authority) {
                tracing::warn!(
                    component = target.component(),
                    "the certificate of {authority} was not accepted: {error}; a private authority is trusted with `--http-ca FILE`"
                );
            }
            reason
        })
    }
}

/// Creates a connector that trusts Mozilla's list and the authorities in the contents of `files`.
fn connector(files: &[PathBuf], contents: &[Vec<u8>]) -> Result<TlsConnector, Error> {
    let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    for (file, content) in files.iter().zip(contents) {
        add_authorities(&mut roots, content).map_err(|error| {
            let problem = format!("--{CA}: cannot use {} as certificate authorities", file.display());
            Error::new(ErrorKind::BadConfiguration, problem).with_source(error)
        })?;
    }
    // The provider is explicit, so that no process-wide default is needed or changed.
    let builder = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| Error::new(ErrorKind::BadConfiguration, "TLS cannot be used").with_source(error))?;
    let mut config = builder.with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(Arc::new(config).into())
}

fn add_authorities(roots: &mut RootCertStore, content: &[u8]) -> Result<(), Box<dyn StdError + Send + Sync>> {
    for certificate in certificates_from_pem(content)? {
        roots.add(certificate)?;
    }
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
