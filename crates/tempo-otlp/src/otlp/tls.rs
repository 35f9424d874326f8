//! TLS to collectors: trusted authorities and the client certificate, reloaded when their files change.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context as _;
use rustls::{ClientConfig, RootCertStore};
use tempo_settings::{Error, ErrorKind, PemContent, Reloadable, certificates_from_pem, private_key_from_pem};

/// A PEM file, and the variable that names it.
pub(crate) type File = (&'static str, PathBuf);

/// Optional PEM files.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Files {
    /// Authorities to trust instead of Mozilla's list.
    pub(crate) authorities: Option<File>,
    /// The client certificate and its key.
    pub(crate) client: Option<(File, File)>,
}

/// TLS settings shared by the exporters of a process, so that an unusable file is logged once, not once per signal.
#[derive(Default)]
pub(crate) struct Shared(Vec<(Files, &'static [u8], Reloadable<ClientConfig>)>);

impl Shared {
    /// Returns the TLS configuration with `files`, for connections with the ALPN `protocol`.
    ///
    /// # Errors
    /// A file is unreadable or invalid.
    pub(crate) fn load(&mut self, files: Files, protocol: &'static [u8]) -> Result<Reloadable<ClientConfig>, Error> {
        let same = self.0.iter().find(|(other, spoken, _)| *other == files && *spoken == protocol);
        if let Some((_, _, config)) = same {
            return Ok(config.clone());
        }
        let client = files.client.clone().map(|(certificate, key)| [certificate, key]);
        let named: Vec<File> = files.authorities.iter().cloned().chain(client.into_iter().flatten()).collect();
        let parsed = files.clone();
        let config = Reloadable::load(named, move |contents| {
            config(&parsed, contents, protocol).map_err(|error| {
                let flags = [&parsed.authorities, &parsed.client.as_ref().map(|(certificate, _)| certificate.clone())];
                let flags: Vec<&str> = flags.into_iter().flatten().map(|(flag, _)| *flag).collect();
                Error::new(ErrorKind::BadConfiguration, format!("{}: cannot be used: {error:#}", flags.join(" or ")))
            })
        })?;
        self.0.push((files, protocol, config.clone()));
        Ok(config)
    }
}

/// Checks that `files` are usable.
pub(crate) fn check(files: &Files) -> anyhow::Result<()> {
    let client = files.client.iter().flat_map(|(certificate, key)| [certificate, key]);
    let contents = files.authorities.iter().chain(client).map(|(_, path)| std::fs::read(path));
    config(files, &contents.collect::<Result<Vec<_>, _>>()?, b"").map(drop)
}

/// Checks that the file at `path` has a private key.
pub(crate) fn check_key(path: &Path) -> anyhow::Result<()> {
    Ok(PemContent::PrivateKey.check(&std::fs::read(path)?)?)
}

/// Parses the `contents` of the present files, in their order.
fn config(files: &Files, contents: &[Vec<u8>], protocol: &[u8]) -> anyhow::Result<ClientConfig> {
    let mut contents = contents.iter();
    let mut next = || contents.next().context("a file is missing");
    let roots = match &files.authorities {
        Some(_) => authorities(next()?)?,
        None => RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() },
    };
    // The provider is explicit, so that no process-wide default is needed or changed.
    let builder = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots);
    let mut config = match &files.client {
        Some(_) => {
            let certificates = certificates_from_pem(next()?)?;
            let key = private_key_from_pem(next()?)?;
            builder.with_client_auth_cert(certificates, key).context("the key cannot be used")?
        }
        None => builder.with_no_client_auth(),
    };
    config.alpn_protocols = vec![protocol.to_vec()];
    Ok(config)
}

fn authorities(content: &[u8]) -> anyhow::Result<RootCertStore> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates_from_pem(content)? {
        roots.add(certificate)?;
    }
    Ok(roots)
}
