//! Credentials. Files are read again for each attempt to connect, because credentials expire and are renewed.

use std::path::PathBuf;
use std::time::Duration;

use async_nats::{Auth, AuthError, ConnectOptions};
use nkeys::{KeyPair, KeyPairType};
use tempo_settings::{Error, ErrorKind, Flag, Reloadable, Secret, Settings, ValueForm};

use crate::address::{Address, User};

const CREDS: Flag = Flag::new("nats-creds", "FILE", "Log in to NATS with the JWT and the key in this credentials file")
    .form(ValueForm::Path)
    .of::<PathBuf>()
    .read_once();
const NKEY: Flag = Flag::new("nats-nkey", "FILE", "Log in to NATS with the NKey seed in this file")
    .form(ValueForm::Path)
    .of::<PathBuf>()
    .read_once();
const TOKEN: Flag = Flag::new("nats-token", "TOKEN", "Log in to NATS with this token");
const USER: Flag = Flag::new("nats-user", "NAME", "Log in to NATS as this user, with --nats-password");
const PASSWORD: Flag = Flag::new("nats-password", "PASSWORD", "The password of --nats-user");

/// The flags of the credentials.
pub(crate) const FLAGS: [Flag; 5] = [CREDS, NKEY, TOKEN, USER, PASSWORD];

/// The credentials of a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Login {
    Anonymous,
    Credentials(PathBuf),
    Nkey(PathBuf),
    User(User),
}

impl Login {
    /// Reads the flags. A user in the URL takes precedence.
    pub(crate) fn read(settings: &Settings, address: &Address) -> Result<Self, Error> {
        if let Some(user) = &address.user {
            return Ok(Self::User(user.clone()));
        }
        let password = settings.get::<Secret>(&PASSWORD)?;
        let user = match (settings.get::<String>(&USER)?, password) {
            (Some(user), Some(password)) => Some(User::Password(user, password)),
            (None, None) => None,
            (Some(_), None) => return Err(settings.invalid(&USER, "needs --nats-password as well")),
            (None, Some(_)) => return Err(settings.invalid(&PASSWORD, "needs --nats-user as well")),
        };
        let given = [
            (CREDS, settings.get(&CREDS)?.map(Self::Credentials)),
            (NKEY, settings.get(&NKEY)?.map(Self::Nkey)),
            (TOKEN, settings.get(&TOKEN)?.map(|token| Self::User(User::Token(token)))),
            (USER, user.map(Self::User)),
        ];
        let mut given = given.into_iter().filter_map(|(flag, login)| login.map(|login| (flag, login)));
        let login = given.next().map_or(Self::Anonymous, |(_, login)| login);
        match given.next() {
            None => Ok(login),
            Some((flag, _)) => {
                Err(settings.invalid(&flag, "give one of --nats-creds, --nats-nkey, --nats-token and --nats-user"))
            }
        }
    }

    /// Returns the file with the credentials, if they are in one.
    pub(crate) fn file(&self) -> Option<&PathBuf> {
        match self {
            Self::Credentials(path) | Self::Nkey(path) => Some(path),
            Self::Anonymous | Self::User(_) => None,
        }
    }

    /// Returns the client's options with these credentials.
    ///
    /// # Errors
    ///
    /// A file cannot be read or parsed. On a reconnect the client keeps the last good content.
    pub(crate) async fn options(&self) -> Result<ConnectOptions, Error> {
        match self {
            Self::Anonymous => Ok(ConnectOptions::new()),
            Self::Credentials(path) => signing(&CREDS, path.clone(), parse_credentials).await,
            Self::Nkey(path) => signing(&NKEY, path.clone(), parse_seed).await,
            Self::User(User::Token(token)) => Ok(ConnectOptions::with_token(token.reveal().to_owned())),
            Self::User(User::Password(user, password)) => {
                Ok(ConnectOptions::with_user_and_password(user.clone(), password.reveal().to_owned()))
            }
        }
    }
}

/// Signs the server's nonce.
struct Signer {
    key: KeyPair,
    /// The user's JWT, issued by its account. Without it the server knows the public key.
    jwt: Option<String>,
}

impl Signer {
    /// Returns the response to the server's nonce.
    fn answer(&self, nonce: &[u8]) -> Result<Auth, AuthError> {
        let mut auth = Auth::new();
        auth.signature = Some(self.key.sign(nonce).map_err(AuthError::new)?);
        auth.jwt.clone_from(&self.jwt);
        auth.nkey = self.jwt.is_none().then(|| self.key.public_key());
        Ok(auth)
    }
}

/// Returns options of a client that reads the file at `path` and signs with its content on each connect.
async fn signing(
    flag: &'static Flag,
    path: PathBuf,
    parse: fn(&str) -> Result<Signer, &'static str>,
) -> Result<ConnectOptions, Error> {
    let files = vec![(flag.name, path.clone())];
    let load = move || {
        Reloadable::load(files, move |contents| {
            let text = contents.first().and_then(|content| std::str::from_utf8(content).ok());
            // The cause may quote the file.
            text.ok_or("is no text").and_then(parse).map_err(|problem| {
                let problem = format!("--{}: {} {problem}", flag.name, path.display());
                Error::new(ErrorKind::BadConfiguration, problem)
            })
        })
    };
    let loaded = tokio::task::spawn_blocking(load).await;
    let signer =
        loaded.map_err(|error| Error::new(ErrorKind::Unavailable, format!("--{}", flag.name)).with_source(error))??;
    Ok(ConnectOptions::with_auth_callback(move |nonce| {
        let signer = signer.clone();
        async move { signer.current(Duration::ZERO).await.answer(&nonce) }
    }))
}

/// Parses a credentials file of NATS.
fn parse_credentials(text: &str) -> Result<Signer, &'static str> {
    const PROBLEM: &str = "is not a credentials file of NATS";
    let lines: Vec<&str> = text.lines().map(str::trim_end).collect();
    // `-----BEGIN NATS USER JWT-----`, the value, `------END NATS USER JWT------`; and the same for the seed.
    let mut values = lines.windows(3).filter_map(|window| match window {
        [begin, value, end] if is_fence(begin) && is_fence(end) && is_value(value) => Some(*value),
        _ => None,
    });
    let (jwt, seed) = values.next().zip(values.next()).ok_or(PROBLEM)?;
    Ok(Signer { key: user_key(seed).ok_or(PROBLEM)?, jwt: Some(jwt.to_owned()) })
}

fn is_fence(line: &str) -> bool {
    line.starts_with("---") && line.ends_with("---")
}

fn is_value(line: &str) -> bool {
    !line.is_empty() && line.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-.=".contains(&byte))
}

/// Finds the seed in the file of an NKey.
fn parse_seed(text: &str) -> Result<Signer, &'static str> {
    let seed = text.lines().map(str::trim).find(|line| line.starts_with("SU"));
    let key = seed.and_then(user_key).ok_or("holds no seed of a user (SU...)")?;
    Ok(Signer { key, jwt: None })
}

fn user_key(seed: &str) -> Option<KeyPair> {
    KeyPair::from_seed(seed).ok().filter(|key| key.key_pair_type() == KeyPairType::User)
}

#[cfg(test)]
mod tests {
    use tempo_settings::{BackendUrl, FlagValue as _, Value, ValueSource};

    use super::*;

    fn read(url: &str, given: &[(Flag, &str)]) -> Result<Login, Error> {
        let mut settings = Settings::default();
        for (flag, text) in given {
            settings.set(flag, vec![Value { text: (*text).to_owned(), source: ValueSource::CommandLine }]);
        }
        let address = Address::parse(&BackendUrl::parse(url).unwrap()).unwrap();
        Login::read(&settings, &address)
    }

    #[test]
    fn the_url_goes_before_the_flags() {
        let token = |token: &str| Login::User(User::Token(Secret::new(token)));
        assert_eq!(read("nats://h/b", &[(TOKEN, "flag")]).unwrap(), token("flag"));
        assert_eq!(read("nats://url@h/b", &[(TOKEN, "flag")]).unwrap(), token("url"));
        assert_eq!(read("nats://h/b", &[]).unwrap(), Login::Anonymous);
        assert!(!format!("{:?}", read("nats://s3cret@h/b", &[])).contains("s3cret"));
    }

    #[test]
    fn halves_and_contradictions_are_refused() {
        let problem = |given: &[(Flag, &str)]| read("nats://h/b", given).unwrap_err().to_string();
        assert_eq!(problem(&[(USER, "ann")]), "--nats-user: needs --nats-password as well");
        assert_eq!(problem(&[(PASSWORD, "s3cret")]), "--nats-password: needs --nats-user as well");
        assert!(problem(&[(TOKEN, "s3cret"), (NKEY, "f")]).starts_with("--nats-token: give one of"));
    }

    #[test]
    fn a_half_written_file_is_none() {
        let seed = KeyPair::new_user().seed().unwrap();
        let whole = format!(
            "-----BEGIN NATS USER JWT-----\neyJ.a-b_c.d\n------END NATS USER JWT------\n\n\
             -----BEGIN USER NKEY SEED-----\n{seed}\n------END USER NKEY SEED------\n"
        );
        let signer = parse_credentials(&whole.replace('\n', "\r\n")).ok().unwrap();
        assert_eq!(signer.jwt.as_deref(), Some("eyJ.a-b_c.d"));
        assert!(signer.answer(b"nonce").unwrap().nkey.is_none());
        // What is left out of the last line is of no account.
        for length in 0..whole.rfind("------END").unwrap() {
            assert!(parse_credentials(&whole[..length]).is_err(), "{length}");
        }
        for length in 0..seed.len() {
            assert!(parse_seed(&seed[..length]).is_err(), "{length}");
        }
        assert!(parse_seed(&format!("# a comment\n {seed} \n")).is_ok());
        assert!(parse_seed(&KeyPair::new_account().seed().unwrap()).is_err());
    }
}
