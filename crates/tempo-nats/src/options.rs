//! The flags of a connection: who logs in, whom it trusts, and how long it may take.

use std::path::{Path, PathBuf};
use std::time::Duration;

use async_nats::ConnectOptions;
use tempo_core::{Error, ErrorKind, Flag, Secret, Settings};

use crate::address::{Address, User};

const CREDS: Flag = Flag::new("nats-creds", "FILE", "Log in to NATS with the JWT and the key in this credentials file");
const NKEY: Flag = Flag::new("nats-nkey", "FILE", "Log in to NATS with the NKey seed in this file");
const TOKEN: Flag = Flag::new("nats-token", "TOKEN", "Log in to NATS with this token");
const USER: Flag = Flag::new("nats-user", "NAME", "Log in to NATS as this user, with --nats-password");
const PASSWORD: Flag = Flag::new("nats-password", "PASSWORD", "The password of --nats-user");
const CA: Flag = Flag::new("nats-ca", "FILE", "Certificates (PEM) to trust for NATS over TLS, instead of the system's");
const CERT: Flag = Flag::new("nats-cert", "FILE", "The certificate (PEM) to show to a NATS server, with --nats-key");
const KEY: Flag = Flag::new("nats-key", "FILE", "The private key (PEM) of --nats-cert");
const CONNECT_TIMEOUT: Flag =
    Flag::new("connect-timeout", "TIME", "How long to try to reach a server at start").default("10s");

/// How many times a second a lost server is tried at least, so that it is found soon after its return.
const LONGEST_PAUSE: Duration = Duration::from_millis(500);

/// The longest single attempt. One that hangs must not keep a lost connection from the next.
const LONGEST_ATTEMPT: Duration = Duration::from_secs(2);

/// How long a server may be silent before it is asked for a sign of life.
const PING: Duration = Duration::from_secs(5);

/// The flags that every connection to NATS reads.
pub(crate) fn flags() -> Vec<Flag> {
    vec![CREDS, NKEY, TOKEN, USER, PASSWORD, CA, CERT, KEY, CONNECT_TIMEOUT]
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Login {
    Nobody,
    Credentials(PathBuf),
    Nkey(PathBuf),
    User(User),
}

/// What makes one connection another than the next, besides its servers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Options {
    login: Login,
    ca: Option<PathBuf>,
    identity: Option<(PathBuf, PathBuf)>,
    tls: bool,
}

/// How long a start may take.
pub(crate) fn connect_timeout(settings: &Settings) -> Result<Duration, Error> {
    settings.require(&CONNECT_TIMEOUT)
}

impl Options {
    /// Reads the flags. What the URL says of the user goes before them.
    pub(crate) fn read(settings: &Settings, address: &Address) -> Result<Self, Error> {
        let identity = match (settings.get(&CERT)?, settings.get(&KEY)?) {
            (Some(certificate), Some(key)) => Some((certificate, key)),
            (None, None) => None,
            (Some(_), None) => return Err(settings.invalid(&CERT, "needs --nats-key as well")),
            (None, Some(_)) => return Err(settings.invalid(&KEY, "needs --nats-cert as well")),
        };
        let login = match &address.user {
            Some(user) => Login::User(user.clone()),
            None => read_login(settings)?,
        };
        Ok(Self { login, ca: settings.get(&CA)?, identity, tls: address.tls })
    }

    /// The client's options. Reads the files, so that they can be renewed while the program is not connected.
    pub(crate) async fn client(&self, timeout: Duration) -> Result<ConnectOptions, Error> {
        let mut options = match &self.login {
            Login::Nobody => ConnectOptions::new(),
            Login::Credentials(path) => {
                let text = read_file(&CREDS, path).await?;
                // The cause may quote the file.
                ConnectOptions::with_credentials(&text)
                    .map_err(|_| bad_file(&CREDS, path, "is not a credentials file of NATS"))?
            }
            Login::Nkey(path) => {
                let text = read_file(&NKEY, path).await?;
                let seed = text.lines().map(str::trim).find(|line| line.starts_with("SU"));
                let seed = seed.ok_or_else(|| bad_file(&NKEY, path, "holds no seed of a user (SU...)"))?;
                ConnectOptions::with_nkey(seed.to_owned())
            }
            Login::User(User::Token(token)) => ConnectOptions::with_token(token.reveal().to_owned()),
            Login::User(User::Password(user, password)) => {
                ConnectOptions::with_user_and_password(user.clone(), password.reveal().to_owned())
            }
        };
        if let Some(ca) = &self.ca {
            // The client would report a missing file only when it is in the middle of connecting.
            read_file(&CA, ca).await?;
            options = options.add_root_certificates(ca.clone());
        }
        if let Some((certificate, key)) = &self.identity {
            read_file(&CERT, certificate).await?;
            read_file(&KEY, key).await?;
            options = options.add_client_certificate(certificate.clone(), key.clone());
        }
        Ok(options
            .name("tempo")
            .require_tls(self.tls)
            .connection_timeout(timeout.min(LONGEST_ATTEMPT))
            .ping_interval(PING)
            .reconnect_delay_callback(pause))
    }
}

fn read_login(settings: &Settings) -> Result<Login, Error> {
    let password = settings.get::<Secret>(&PASSWORD)?;
    let user = match (settings.get::<String>(&USER)?, password) {
        (Some(user), Some(password)) => Some(User::Password(user, password)),
        (None, None) => None,
        (Some(_), None) => return Err(settings.invalid(&USER, "needs --nats-password as well")),
        (None, Some(_)) => return Err(settings.invalid(&PASSWORD, "needs --nats-user as well")),
    };
    let given = [
        (CREDS, settings.get(&CREDS)?.map(Login::Credentials)),
        (NKEY, settings.get(&NKEY)?.map(Login::Nkey)),
        (TOKEN, settings.get(&TOKEN)?.map(|token| Login::User(User::Token(token)))),
        (USER, user.map(Login::User)),
    ];
    let mut given = given.into_iter().filter_map(|(flag, login)| login.map(|login| (flag, login)));
    let login = given.next().map_or(Login::Nobody, |(_, login)| login);
    match given.next() {
        None => Ok(login),
        Some((flag, _)) => {
            Err(settings.invalid(&flag, "give one of --nats-creds, --nats-nkey, --nats-token and --nats-user"))
        }
    }
}

async fn read_file(flag: &Flag, path: &Path) -> Result<String, Error> {
    let text = tokio::fs::read_to_string(path).await;
    text.map_err(|error| {
        let problem = format!("--{}: cannot read {}: {error}", flag.name, path.display());
        Error::new(ErrorKind::NotFound, problem)
    })
}

fn bad_file(flag: &Flag, path: &Path, problem: &str) -> Error {
    Error::new(ErrorKind::BadConfiguration, format!("--{}: {} {problem}", flag.name, path.display()))
}

/// How long to wait before an attempt to connect again: the first comes at once, and none is far from the last.
fn pause(attempt: usize) -> Duration {
    let doublings = u32::try_from(attempt.saturating_sub(1)).unwrap_or(u32::MAX);
    let pause = Duration::from_millis(2_u64.saturating_pow(doublings));
    if attempt <= 1 { Duration::ZERO } else { pause.min(LONGEST_PAUSE) }
}

#[cfg(test)]
mod tests {
    use tempo_core::{Place, Setting as _, StoreUrl, Value};

    use super::*;

    fn read(url: &str, given: &[(Flag, &str)]) -> Result<Options, Error> {
        let mut settings = Settings::default();
        for (flag, text) in given {
            settings.set(flag, vec![Value { text: (*text).to_owned(), place: Place::CommandLine }]);
        }
        let address = Address::parse(&StoreUrl::parse(url).unwrap()).unwrap();
        Options::read(&settings, &address)
    }

    #[test]
    fn the_url_goes_before_the_flags() {
        let token = |token: &str| Login::User(User::Token(Secret::new(token)));
        assert_eq!(read("nats://h/b", &[(TOKEN, "flag")]).unwrap().login, token("flag"));
        assert_eq!(read("nats://url@h/b", &[(TOKEN, "flag")]).unwrap().login, token("url"));
        assert_eq!(read("nats://h/b", &[]).unwrap().login, Login::Nobody);
        assert!(!format!("{:?}", read("nats://s3cret@h/b", &[])).contains("s3cret"));
    }

    #[test]
    fn halves_and_contradictions_are_refused() {
        let problem = |given: &[(Flag, &str)]| read("nats://h/b", given).unwrap_err().to_string();
        assert_eq!(problem(&[(USER, "ann")]), "--nats-user: needs --nats-password as well");
        assert_eq!(problem(&[(PASSWORD, "s3cret")]), "--nats-password: needs --nats-user as well");
        assert_eq!(problem(&[(CERT, "c")]), "--nats-cert: needs --nats-key as well");
        assert_eq!(problem(&[(KEY, "k")]), "--nats-key: needs --nats-cert as well");
        assert!(problem(&[(TOKEN, "s3cret"), (NKEY, "f")]).starts_with("--nats-token: give one of"));
    }

    #[test]
    fn pauses_are_bounded() {
        assert_eq!([0, 1, 2, 5].map(pause), [0, 0, 2, 16].map(Duration::from_millis));
        assert_eq!(pause(usize::MAX), LONGEST_PAUSE);
    }
}
