//! The backend of the service: the HTTP client, and the flags of its grants and limits.

use std::fmt;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

use tempo_core::{Backend, BootContext, StoreContext};
use tempo_settings::{Disclosure, Error, Flag, Settings, ValueForm};

use crate::{Client, ClientConfig, GrantError, Hooks, HttpCtx, Policy, WasiHttp};

pub(crate) const ALLOW: Flag = Flag::new(
    "allow-http",
    "URL",
    "A URL the guest may request, such as https://api.example.com; h2c:// for HTTP/2 without TLS",
)
.repeatable()
.grants(Disclosure::Origin);
const ALLOW_ADDRESS: Flag =
    Flag::new("allow-http-address", "CIDR", "Private addresses that allowed names may resolve to, such as 10.0.0.0/8")
        .repeatable()
        .grants(Disclosure::Whole);
const CA: Flag = Flag::new(
    "http-ca",
    "FILE",
    "Certificate authorities (PEM) to trust for outgoing requests; read again when it changes",
)
.repeatable()
.form(ValueForm::Path)
.of::<PathBuf>();
const CONNECT: Flag = Flag::new("http-connect-timeout", "TIME", "Time to connect").default("5s").of::<Duration>();
const TLS: Flag = Flag::new("http-tls-timeout", "TIME", "Time for a TLS handshake").default("5s").of::<Duration>();
const FIRST_BYTE: Flag =
    Flag::new("http-first-byte-timeout", "TIME", "Time to the first byte of an answer").default("30s").of::<Duration>();
const BETWEEN_BYTES: Flag = Flag::new("http-between-bytes-timeout", "TIME", "Longest pause in the body of an answer")
    .default("5m")
    .of::<Duration>();
const REQUESTS: Flag =
    Flag::new("max-http-requests", "N", "Outgoing requests at once").default("512").of::<NonZeroUsize>();

/// The backend of [`WasiHttp`]: a pooled client under the egress policy. It connects on the first request.
pub struct HttpClient {
    hooks: Hooks,
}

impl fmt::Debug for HttpClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpClient").finish_non_exhaustive()
    }
}

impl Backend<WasiHttp> for HttpClient {
    fn flags() -> Vec<Flag> {
        vec![ALLOW, ALLOW_ADDRESS, CA, CONNECT, TLS, FIRST_BYTE, BETWEEN_BYTES, REQUESTS]
    }

    fn check(boot: BootContext<'_>) -> Vec<Error> {
        let files = settings_files(boot);
        let unusable = files.and_then(|files| Client::check_authorities(&files)).err();
        grant_mistakes(boot.settings).chain(unusable).collect()
    }

    async fn connect(boot: BootContext<'_>) -> tempo_settings::Result<Self> {
        let settings = boot.settings;
        let urls = settings.all::<String>(&ALLOW)?;
        let addresses = settings.all::<String>(&ALLOW_ADDRESS)?;
        let policy = Policy::new(urls.iter().map(String::as_str), addresses.iter().map(String::as_str))
            .map_err(|error| bad_grant(settings, &error))?
            .of_component(boot.component);
        let config = ClientConfig {
            connect_timeout: settings.require::<Duration>(&CONNECT)?,
            tls_timeout: settings.require::<Duration>(&TLS)?,
            first_byte_timeout: settings.require::<Duration>(&FIRST_BYTE)?,
            between_bytes_timeout: settings.require::<Duration>(&BETWEEN_BYTES)?,
            max_requests: settings.require::<NonZeroUsize>(&REQUESTS)?.get(),
            ca_files: settings.all::<PathBuf>(&CA)?,
            ..ClientConfig::default()
        };
        let mut hooks = Hooks::new(Client::new(config, policy)?).with_telemetry(boot.telemetry.clone());
        if boot.shared.is_some() {
            hooks = hooks.in_app();
        }
        Ok(Self { hooks })
    }

    fn state(&self, store: &StoreContext) -> HttpCtx {
        HttpCtx::new(self.hooks.clone().with_depth(store.depth.clone()), &store.bytes)
    }
}

/// Returns the files of certificate authorities to read: none for a component without requests.
fn settings_files(boot: BootContext<'_>) -> Result<Vec<PathBuf>, Error> {
    if boot.is_used { boot.settings.all(&CA) } else { Ok(Vec::new()) }
}

/// Finds grants that are malformed.
fn grant_mistakes(settings: &Settings) -> impl Iterator<Item = Error> {
    let of_flag = |flag: &'static Flag, expected: fn(&str) -> Option<&'static str>| {
        settings.raw_values(flag).iter().enumerate().filter_map(move |(index, value)| {
            let (position, expected) = (index.saturating_add(1), expected(&value.text)?);
            Some(value.invalid(flag, &format!("value {position}: expected {expected}")))
        })
    };
    of_flag(&ALLOW, Policy::expected_grant).chain(of_flag(&ALLOW_ADDRESS, Policy::expected_address))
}

/// Names the setting and its source, not its value: a grant may contain a password.
fn bad_grant(settings: &Settings, error: &GrantError) -> Error {
    let flag = if error.flag().ends_with(ALLOW_ADDRESS.name) { &ALLOW_ADDRESS } else { &ALLOW };
    settings.invalid(flag, &format!("value {}: expected {}", error.position(), error.expected()))
}
