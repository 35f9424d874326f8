//! Flags of the server: address, TLS, and limits.

use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

use tempo_settings::{Delay, Error, ErrorKind, Flag, Settings, Size, ValueForm};

use super::accept::MAX_REJECTING_CONNECTIONS;
use super::route::Route;
use super::send_rate::MinSendRate;

const ADDR: Flag = Flag::new("addr", "HOST:PORT", "Address to serve HTTP on; port 0 picks one")
    .default("127.0.0.1:8080")
    .of_process()
    .of::<SocketAddr>();
pub(crate) const CERT: Flag =
    Flag::new("tls-cert", "FILE", "Certificate chain (PEM): serve HTTPS; read again when it changes")
        .form(ValueForm::Path)
        .of_process()
        .of::<PathBuf>();
pub(crate) const KEY: Flag =
    Flag::new("tls-key", "FILE", "Private key (PEM) of --tls-cert; read again when it changes")
        .form(ValueForm::Path)
        .of_process()
        .of::<PathBuf>();
pub(crate) const ROUTE: Flag = Flag::new(
    "route",
    "[HOST]/PATH",
    "Requests that the component gets, such as /api/* or example.com/{id} [default: all, or none as part of an app]",
)
.repeatable()
.of::<Route>();
pub(crate) const MIDDLEWARE: Flag = Flag::new(
    "middleware",
    "NAME",
    "Components of the app that get the requests of this one first and pass them on, the outermost first",
)
.repeatable();
const THREADS: Flag = Flag::new("http-threads", "N", "Threads that serve connections [default: one a processor]")
    .of_process()
    .of::<NonZeroUsize>();
const CONNECTIONS: Flag =
    Flag::new("max-connections", "N", "Connections at once").default("1000").of_process().of::<NonZeroUsize>();
const HEADER_TIMEOUT: Flag =
    Flag::new("header-timeout", "TIME", "Time to read a request's head").default("10s").of_process().of::<Duration>();
const IDLE_TIMEOUT: Flag = Flag::new("idle-timeout", "TIME", "How long an unused connection is kept")
    .default("60s")
    .of_process()
    .of::<Duration>();
const HALF_CLOSE_GRACE: Flag = Flag::new(
    "half-close-grace",
    "TIME",
    "How long a guest continues after its client has closed its sending side; not if half of --max-requests run",
)
.default("2s")
.of_process()
.of::<Delay>();
const HEADERS: Flag =
    Flag::new("max-headers", "N", "Headers of a request").default("100").of_process().of::<NonZeroUsize>();
const HEADER_SIZE: Flag =
    Flag::new("max-header-size", "SIZE", "Head of a request").default("32KiB").of_process().of::<Size>();
const STREAMS: Flag = Flag::new("max-h2-streams", "N", "HTTP/2 streams of one connection")
    .default("100")
    .of_process()
    .of::<NonZeroUsize>();
const BODY: Flag = Flag::new("max-body", "SIZE", "Body of a request").default("10MiB").of::<Size>();
const SEND_TIMEOUT: Flag =
    Flag::new("send-timeout", "TIME", "How long a client may take less than --min-send-rate of what waits for it")
        .default("30s")
        .of_process()
        .of::<Duration>();
const SEND_RATE: Flag = Flag::new("min-send-rate", "SIZE", "Response data a second that a client takes while it waits")
    .default("1KiB")
    .of_process()
    .of::<Size>();
const SEND_BUFFER: Flag = Flag::new(
    "max-send-buffer",
    "SIZE",
    "Response bodies that wait for clients, all connections together; heads and TLS come on top",
)
.default("64MiB")
.of_process()
.of::<Size>();

/// File descriptors reserved for rejected connections, for the 128 connections of `--admin` and `--dashboard`, and for
/// the process itself.
const OTHER_FILES: usize = MAX_REJECTING_CONNECTIONS + 128 + 64;

/// hyper's minimum buffer size, in bytes.
const MIN_BUFFER: usize = 8192;

/// The settings of [`HttpServer`](crate::HttpServer).
#[derive(PartialEq)]
pub(crate) struct Config {
    pub(crate) address: SocketAddr,
    /// Certificate chain and private key.
    pub(crate) tls: Option<(PathBuf, PathBuf)>,
    pub(crate) threads: usize,
    pub(crate) connections: usize,
    /// True if the limit on open files lowered the default.
    pub(crate) connections_lowered: bool,
    pub(crate) header_timeout: Duration,
    pub(crate) idle_timeout: Duration,
    /// May be zero.
    pub(crate) half_close_grace: Duration,
    pub(crate) headers: usize,
    /// In bytes.
    pub(crate) header_size: usize,
    pub(crate) streams: u32,
    /// The rate at which clients must read responses.
    pub(crate) send_rate: MinSendRate,
    /// In bytes.
    pub(crate) send_buffer: usize,
}

impl Config {
    pub(crate) const FLAGS: &'static [Flag] = &[
        ADDR,
        CERT,
        KEY,
        ROUTE,
        MIDDLEWARE,
        THREADS,
        CONNECTIONS,
        HEADER_TIMEOUT,
        IDLE_TIMEOUT,
        HALF_CLOSE_GRACE,
        HEADERS,
        HEADER_SIZE,
        STREAMS,
        BODY,
        SEND_TIMEOUT,
        SEND_RATE,
        SEND_BUFFER,
    ];

    /// Reads the settings.
    ///
    /// # Errors
    ///
    /// A value cannot be read, or a certificate comes without its key.
    pub(crate) fn from_settings(settings: &Settings) -> Result<Self, Error> {
        let count = |flag: &Flag| settings.require::<NonZeroUsize>(flag).map(usize::from);
        let header_size = settings.require::<Size>(&HEADER_SIZE)?.0;
        if header_size < MIN_BUFFER {
            return Err(settings.invalid(&HEADER_SIZE, "expected at least 8KiB"));
        }
        let (connections, connections_lowered) = connections(settings)?;
        Ok(Self {
            address: settings.require(&ADDR)?,
            tls: tls(settings)?,
            threads: settings.get::<NonZeroUsize>(&THREADS)?.map_or_else(processors, usize::from),
            connections,
            connections_lowered,
            header_timeout: settings.require(&HEADER_TIMEOUT)?,
            idle_timeout: settings.require(&IDLE_TIMEOUT)?,
            half_close_grace: settings.require::<Delay>(&HALF_CLOSE_GRACE)?.0,
            headers: count(&HEADERS)?,
            header_size,
            streams: u32::try_from(count(&STREAMS)?).unwrap_or(u32::MAX),
            send_rate: MinSendRate {
                bytes_per_second: settings.require::<Size>(&SEND_RATE)?.0,
                window: settings.require(&SEND_TIMEOUT)?,
            },
            send_buffer: settings.require::<Size>(&SEND_BUFFER)?.0,
        })
    }
}

/// Refuses other values of the settings that the server cannot change while it runs.
///
/// # Errors
///
/// One has another value in `settings`, of which `next` was read, than in `running`.
pub(super) fn check_unchanged(running: &Config, next: &Config, settings: &Settings) -> Result<(), Error> {
    let fixed = |config: &Config| {
        let connections = (config.connections, &CONNECTIONS);
        [(config.threads, &THREADS), connections, (config.send_buffer, &SEND_BUFFER)]
    };
    match fixed(running).into_iter().zip(fixed(next)).find(|((running, _), (next, _))| running != next) {
        Some((_, (_, flag))) => {
            Err(settings.invalid(flag, "it cannot change while the server runs; restart the process"))
        }
        None => Ok(()),
    }
}

/// Returns the maximum size of a request's body for the component with `settings`, in bytes.
pub(crate) fn max_body(settings: &Settings) -> Result<u64, Error> {
    Ok(settings.require::<Size>(&BODY)?.0 as u64)
}

/// Returns the limit on connections, and whether the limit on open files lowered its default.
fn connections(settings: &Settings) -> Result<(usize, bool), Error> {
    let wanted = usize::from(settings.require::<NonZeroUsize>(&CONNECTIONS)?);
    let most = tempo_core::descriptors::file_limit().map_or(usize::MAX, |limit| limit.saturating_sub(OTHER_FILES));
    if wanted <= most {
        return Ok((wanted, false));
    }
    if most > 0 && settings.raw_values(&CONNECTIONS).is_empty() {
        return Ok((most, true));
    }
    // The message names no source of the value: the value is well-formed, the machine has too few descriptors.
    let message = format!("--max-connections: the limit on open files (ulimit -n) allows {most}, not {wanted}");
    Err(Error::new(ErrorKind::BadConfiguration, message))
}

fn tls(settings: &Settings) -> Result<Option<(PathBuf, PathBuf)>, Error> {
    match (settings.get(&CERT)?, settings.get(&KEY)?) {
        (Some(cert), Some(key)) => Ok(Some((cert, key))),
        (None, None) => Ok(None),
        (Some(_), None) => Err(settings.invalid(&CERT, "needs --tls-key as well")),
        (None, Some(_)) => Err(settings.invalid(&KEY, "needs --tls-cert as well")),
    }
}

fn processors() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}
