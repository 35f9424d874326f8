//! The flags of a connection other than its credentials: TLS and timeouts.

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use async_nats::ConnectOptions;
use tempo_settings::{Error, ErrorKind, Flag, PemContent, Settings, ValueForm};

use crate::address::Address;
use crate::login::{self, Login};

const CA: Flag = Flag::new("nats-ca", "FILE", "Certificates (PEM) to trust for NATS over TLS, instead of the system's")
    .form(ValueForm::Path)
    .of::<PathBuf>()
    .read_once();
const CERT: Flag = Flag::new("nats-cert", "FILE", "The certificate (PEM) to show to a NATS server, with --nats-key")
    .form(ValueForm::Path)
    .of::<PathBuf>()
    .read_once();
const KEY: Flag = Flag::new("nats-key", "FILE", "The private key (PEM) of --nats-cert")
    .form(ValueForm::Path)
    .of::<PathBuf>()
    .read_once();
const CONNECT_TIMEOUT: Flag =
    Flag::new("connect-timeout", "TIME", "How long to try to reach a server at start").default("10s").of::<Duration>();

/// Maximum pause between two attempts to reconnect.
const MAX_RECONNECT_PAUSE: Duration = Duration::from_millis(500);

/// Timeout of one attempt to connect: an attempt that hangs must not delay the next.
const MAX_ATTEMPT_TIMEOUT: Duration = Duration::from_secs(2);

/// Interval of pings to a silent server.
const PING_INTERVAL: Duration = Duration::from_secs(5);

/// The flags that every connection to NATS reads.
pub(crate) fn flags() -> Vec<Flag> {
    [login::FLAGS.as_slice(), &[CA, CERT, KEY, CONNECT_TIMEOUT]].concat()
}

/// The settings of a connection other than its servers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Options {
    login: Login,
    ca: Option<PathBuf>,
    identity: Option<(PathBuf, PathBuf)>,
    tls: bool,
}

/// The length of a file and the time of its last change; `None` if it is absent.
pub(crate) type FileState = Option<(u64, Option<SystemTime>)>;

/// Returns the timeout of the first connect.
pub(crate) fn connect_timeout(settings: &Settings) -> Result<Duration, Error> {
    settings.require(&CONNECT_TIMEOUT)
}

impl Options {
    /// Reads the flags. A user in the URL takes precedence.
    pub(crate) fn read(settings: &Settings, address: &Address) -> Result<Self, Error> {
        let identity = match (settings.get(&CERT)?, settings.get(&KEY)?) {
            (Some(certificate), Some(key)) => Some((certificate, key)),
            (None, None) => None,
            (Some(_), None) => return Err(settings.invalid(&CERT, "needs --nats-key as well")),
            (None, Some(_)) => return Err(settings.invalid(&KEY, "needs --nats-cert as well")),
        };
        Ok(Self { login: Login::read(settings, address)?, ca: settings.get(&CA)?, identity, tls: address.tls })
    }

    /// Returns the state of each file of the options. Another one means that a new connection would differ.
    pub(crate) async fn file_states(&self) -> Vec<FileState> {
        let identity = self.identity.iter().flat_map(|(certificate, key)| [certificate, key]);
        let mut states = Vec::new();
        for file in self.login.file().into_iter().chain(&self.ca).chain(identity) {
            let metadata = tokio::fs::metadata(file).await.ok();
            states.push(metadata.map(|metadata| (metadata.len(), metadata.modified().ok())));
        }
        states
    }

    /// Returns the client's options. The client reads the files again for each attempt to connect.
    pub(crate) async fn client(&self, timeout: Duration) -> Result<ConnectOptions, Error> {
        let mut options = self.login.options().await?;
        if let Some(ca) = &self.ca {
            // The client would report an unusable file only while it connects, without its name.
            check_file(&CA, ca, PemContent::Certificates).await?;
            options = options.add_root_certificates(ca.clone());
        }
        if let Some((certificate, key)) = &self.identity {
            check_file(&CERT, certificate, PemContent::Certificates).await?;
            check_file(&KEY, key, PemContent::PrivateKey).await?;
            options = options.add_client_certificate(certificate.clone(), key.clone());
        }
        Ok(options
            .name("tempo")
            .require_tls(self.tls)
            .connection_timeout(timeout.min(MAX_ATTEMPT_TIMEOUT))
            .ping_interval(PING_INTERVAL)
            .reconnect_delay_callback(pause))
    }
}

async fn check_file(flag: &Flag, path: &Path, expected: PemContent) -> Result<(), Error> {
    let problem = |kind, what: &str| Error::new(kind, format!("--{}: cannot {what} {}", flag.name, path.display()));
    let content = tokio::fs::read(path).await;
    let content = content.map_err(|error| problem(ErrorKind::NotFound, "read").with_source(error))?;
    expected.check(&content).map_err(|error| problem(ErrorKind::BadConfiguration, "use").with_source(error))
}

/// Returns the pause before an attempt to reconnect: none before the first.
fn pause(attempt: usize) -> Duration {
    let doublings = u32::try_from(attempt.saturating_sub(1)).unwrap_or(u32::MAX);
    let pause = Duration::from_millis(2_u64.saturating_pow(doublings));
    if attempt <= 1 { Duration::ZERO } else { pause.min(MAX_RECONNECT_PAUSE) }
}

#[cfg(test)]
mod tests {
    use tempo_settings::{BackendUrl, FlagValue as _, Value, ValueSource};

    use super::*;

    fn read(url: &str, given: &[(Flag, &str)]) -> Result<Options, Error> {
        let mut settings = Settings::default();
        for (flag, text) in given {
            settings.set(flag, vec![Value { text: (*text).to_owned(), source: ValueSource::CommandLine }]);
        }
        let address = Address::parse(&BackendUrl::parse(url).unwrap()).unwrap();
        Options::read(&settings, &address)
    }

    #[test]
    fn halves_are_refused() {
        let problem = |given: &[(Flag, &str)]| read("nats://h/b", given).unwrap_err().to_string();
        assert_eq!(problem(&[(CERT, "c")]), "--nats-cert: needs --nats-key as well");
        assert_eq!(problem(&[(KEY, "k")]), "--nats-key: needs --nats-cert as well");
    }

    #[test]
    fn pauses_are_bounded() {
        assert_eq!([0, 1, 2, 5].map(pause), [0, 0, 2, 16].map(Duration::from_millis));
        assert_eq!(pause(usize::MAX), MAX_RECONNECT_PAUSE);
    }
}
