//! TLS towards a collector: which authorities are trusted, and who we are if it asks.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context as _;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};

/// PEM files, each of them optional.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Files {
    /// The authorities to trust instead of those that browsers trust.
    pub(crate) authorities: Option<PathBuf>,
    /// Our certificate and its key.
    pub(crate) client: Option<(PathBuf, PathBuf)>,
}

/// Reads `files`, for connections that speak `protocol`.
pub(crate) fn config(files: &Files, protocol: &[u8]) -> anyhow::Result<Arc<ClientConfig>> {
    let roots = match &files.authorities {
        Some(file) => authorities(file)?,
        None => RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() },
    };
    // The provider is named, so that no process-wide default is needed and none is changed.
    let builder = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots);
    let mut config = match &files.client {
        Some((certificate, key)) => {
            let key = PrivateKeyDer::from_pem_file(key).context("the key cannot be read")?;
            builder.with_client_auth_cert(certificates(certificate)?, key).context("the key cannot be used")?
        }
        None => builder.with_no_client_auth(),
    };
    config.alpn_protocols = vec![protocol.to_vec()];
    Ok(Arc::new(config))
}

fn authorities(file: &Path) -> anyhow::Result<RootCertStore> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(file)? {
        roots.add(certificate)?;
    }
    Ok(roots)
}

fn certificates(file: &Path) -> anyhow::Result<Vec<CertificateDer<'static>>> {
    let certificates = CertificateDer::pem_file_iter(file)?.collect::<Result<Vec<_>, _>>()?;
    anyhow::ensure!(!certificates.is_empty(), "expected PEM with at least one CERTIFICATE section");
    Ok(certificates)
}
