//! `Authorities`: the certificate authorities that `wasi:tls` trusts, reloaded when their files change.

use std::error::Error as StdError;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use rustls::{ClientConfig, RootCertStore};
use tempo_settings::{Error, ErrorKind, Flag, Reloadable, Settings, ValueForm, certificates_from_pem};
use tokio_rustls::TlsConnector;

/// The flag of the authority files.
pub(crate) const FLAG: Flag =
    Flag::new("socket-ca", "FILE", "Certificate authorities (PEM) to trust for wasi:tls; read again when it changes")
        .repeatable()
        .form(ValueForm::Path)
        .of::<PathBuf>();

/// Maximum age of the loaded authorities. A handshake after that checks their files.
const MAX_AGE: Duration = Duration::from_secs(1);

/// Mozilla's list and the authorities of the flag. Clones share the TLS sessions.
#[derive(Clone, Debug)]
pub(crate) struct Authorities(Reloadable<TlsConnector>);

impl Authorities {
    /// Reads the files of the flag.
    ///
    /// # Errors
    ///
    /// A file cannot be read, or holds no certificate.
    pub(crate) fn from_settings(settings: &Settings) -> Result<Self, Error> {
        let paths: Vec<PathBuf> = settings.all(&FLAG)?;
        let files = paths.iter().map(|path| (FLAG.name, path.clone())).collect();
        Reloadable::load(files, move |contents| connector(&paths, contents)).map(Self)
    }

    /// Returns a connector that trusts the authorities.
    pub(super) async fn connector(&self) -> Arc<TlsConnector> {
        self.0.current(MAX_AGE).await
    }
}

/// Creates a connector that trusts Mozilla's list and the authorities in the contents of the files at `paths`.
fn connector(paths: &[PathBuf], contents: &[Vec<u8>]) -> Result<TlsConnector, Error> {
    let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    for (path, content) in paths.iter().zip(contents) {
        add(&mut roots, content).map_err(|error| {
            let problem = format!("--{}: cannot use {} as certificate authorities", FLAG.name, path.display());
            Error::new(ErrorKind::BadConfiguration, problem).with_source(error)
        })?;
    }
    // The provider is explicit, so that no process-wide default is needed or changed.
    let builder = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| Error::new(ErrorKind::BadConfiguration, "TLS cannot be used").with_source(error))?;
    Ok(Arc::new(builder.with_root_certificates(roots).with_no_client_auth()).into())
}

fn add(roots: &mut RootCertStore, content: &[u8]) -> Result<(), Box<dyn StdError + Send + Sync>> {
    for certificate in certificates_from_pem(content)? {
        roots.add(certificate)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;
    use tempo_settings::{Value, ValueSource};

    fn load(path: &str) -> Result<Authorities, Error> {
        let mut settings = Settings::default();
        settings.set(&FLAG, vec![Value { text: path.to_owned(), source: ValueSource::CommandLine }]);
        Authorities::from_settings(&settings)
    }

    #[test]
    fn a_bad_authority_file_is_named() {
        let missing = load("no-such-file.pem").unwrap_err();
        assert!(format!("{missing:#}").contains("no-such-file.pem"), "{missing:#}");
        let mut empty = tempfile::NamedTempFile::new().unwrap();
        writeln!(empty, "nothing here").unwrap();
        let empty = load(&empty.path().display().to_string()).unwrap_err();
        assert!(format!("{empty:#}").contains("--socket-ca"), "{empty:#}");
    }
}
