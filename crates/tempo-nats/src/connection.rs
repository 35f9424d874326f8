//! One connection for each server, user and process, shared by every store that is there.
//!
//! A connection is opened by the first that asks and closed when the last of its stores is dropped. It comes back by
//! itself however long it was lost. Its tasks run on the runtime on which it was opened; stores may be used from any.

use std::error::Error as _;
use std::future::Future;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use anyhow::Context as _;
use async_nats::connection::State;
use async_nats::jetstream::{self, context::ContextBuilder};
use async_nats::{Client, ClientError, ConnectError, ConnectErrorKind, ConnectOptions, Event};
use tempo_backend::BackendContext;
use tempo_settings::{Error, ErrorKind};
use tokio::sync::{OnceCell, watch};
use tokio::time::{Instant, sleep, timeout, timeout_at};

use crate::address::Address;
use crate::options::{self, Options};

/// How long a request may take, the wait for a lost connection not counted.
pub(crate) const REQUEST: Duration = Duration::from_secs(5);

/// How long a request waits for a lost connection before it is sent.
const RETURN: Duration = Duration::from_secs(5);

/// How often the state of a lost connection is looked at, and an unreachable server tried at start.
const GLANCE: Duration = Duration::from_millis(20);
const RETRY: Duration = Duration::from_millis(200);

/// What makes two stores share a connection.
type Identity = (String, Options);

/// A place for a connection, so that only those wait for it who want this one.
type Slot = OnceCell<Line>;

static SLOTS: Mutex<Vec<(Identity, Weak<Slot>)>> = Mutex::new(Vec::new());

/// What was opened.
#[derive(Clone)]
struct Line {
    client: Client,
    jetstream: jetstream::Context,
    /// Counts how often the connection was lost. Closed when the tasks of the connection have ended.
    losses: watch::Receiver<u64>,
}

/// A share of a connection.
#[derive(Clone)]
pub(crate) struct Connection {
    line: Line,
    _slot: Arc<Slot>,
}

/// Why a request has no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lost {
    /// There was no connection, and the request was not sent.
    Before,
    /// The connection was lost while the answer was awaited.
    Meanwhile,
}

impl Connection {
    /// The connection to the servers of `address`, as the user that it or the settings say. While it is lost, the runtime
    /// is not ready.
    ///
    /// # Errors
    ///
    /// A [`tempo_settings::Error`]: a setting is wrong, the server refuses the login, or it was not reached in time.
    pub(crate) async fn open(address: &Address, context: BackendContext<'_>) -> anyhow::Result<Self> {
        let options = Options::read(context.settings, address)?;
        let limit = options::connect_timeout(context.settings)?;
        let slot = slot((address.server(), options.clone()));
        let line = slot.get_or_try_init(|| open(address, &options, limit)).await?.clone();
        if let Some(health) = context.health {
            health.add_readiness_check(away(&slot, address.server()));
        }
        Ok(Self { line, _slot: slot })
    }

    /// JetStream on this connection.
    pub(crate) fn jetstream(&self) -> &jetstream::Context {
        &self.line.jetstream
    }

    /// The connection itself, for what is not JetStream.
    pub(crate) fn client(&self) -> &Client {
        &self.line.client
    }

    /// The answer to one request, which is sent when there is a connection and at most once.
    pub(crate) async fn ask<T>(&self, request: impl Future<Output = T>) -> Result<T, Lost> {
        self.ready().await?;
        let mut losses = self.losses();
        tokio::select! {
            biased;
            answer = request => Ok(answer),
            _ = losses.changed() => Err(Lost::Meanwhile),
        }
    }

    /// Waits for a lost connection.
    pub(crate) async fn ready(&self) -> Result<(), Lost> {
        let connected = || self.line.client.connection_state() == State::Connected;
        let returned = async {
            while !connected() {
                sleep(GLANCE).await;
            }
        };
        if connected() { Ok(()) } else { timeout(RETURN, returned).await.map_err(|_| Lost::Before) }
    }

    /// Changes when the connection is lost from now on.
    pub(crate) fn losses(&self) -> watch::Receiver<u64> {
        let mut losses = self.line.losses.clone();
        losses.mark_unchanged();
        losses
    }

    /// The largest message that the server takes, in bytes.
    pub(crate) fn max_payload(&self) -> usize {
        self.line.client.server_info().max_payload
    }
}

/// The place of the connection of this identity.
fn slot(identity: Identity) -> Arc<Slot> {
    let mut slots = SLOTS.lock().unwrap_or_else(PoisonError::into_inner);
    slots.retain(|(_, slot)| slot.strong_count() > 0);
    // The tasks of a connection end with their runtime, which in tests and embeddings may not be the process's.
    let alive = |slot: &Arc<Slot>| slot.get().is_none_or(|line| line.losses.has_changed().is_ok());
    let same = slots.iter().filter(|(other, _)| *other == identity);
    if let Some(slot) = same.filter_map(|(_, slot)| slot.upgrade()).find(alive) {
        return slot;
    }
    let slot = Arc::new(Slot::new());
    slots.push((identity, Arc::downgrade(&slot)));
    slot
}

/// Says that the server is away, for as long as somebody uses the connection and it is lost.
fn away(slot: &Arc<Slot>, server: String) -> impl Fn() -> Option<String> + Send + Sync + 'static {
    let slot = Arc::downgrade(slot);
    move || {
        let slot = slot.upgrade()?;
        let state = slot.get()?.client.connection_state();
        (state != State::Connected).then(|| format!("{server} is not connected"))
    }
}

/// Tries until the limit: in a fresh deployment the server may start at the same time.
async fn open(address: &Address, options: &Options, limit: Duration) -> anyhow::Result<Line> {
    let server = address.server();
    let (counter, losses) = watch::channel(0);
    let client_options = watched(options.client(limit).await?, &server, counter);
    let deadline = Instant::now().checked_add(limit).context("--connect-timeout is too long")?;
    let mut cause = "no answer".to_owned();
    loop {
        match timeout_at(deadline, client_options.clone().connect(address.servers())).await {
            Ok(Ok(client)) => {
                // Made here, because it spawns a task.
                let jetstream = ContextBuilder::new().timeout(REQUEST).build(client.clone());
                return Ok(Line { client, jetstream, losses });
            }
            Ok(Err(error)) if is_final(&error) => return Err(refused(&server, &error).into()),
            Ok(Err(error)) => cause = error.source().map_or_else(|| error.to_string(), ToString::to_string),
            Err(_) => return Err(unreachable(&server, limit, &cause).into()),
        }
        if timeout_at(deadline, sleep(RETRY)).await.is_err() {
            return Err(unreachable(&server, limit, &cause).into());
        }
    }
}

/// Counts and logs what happens to the connection.
fn watched(options: ConnectOptions, server: &str, losses: watch::Sender<u64>) -> ConnectOptions {
    let (server, losses) = (server.to_owned(), Arc::new(losses));
    let refused_since = AtomicU64::new(0);
    options.request_timeout(Some(REQUEST)).event_callback(move |event| {
        match &event {
            Event::ClientError(ClientError::Other(problem)) => match advice(problem) {
                // Once for each loss: there are two attempts a second.
                Some(advice) if refused_since.swap(*losses.borrow(), Relaxed) != *losses.borrow() => {
                    tracing::warn!(%server, "no connection yet: {problem}; {advice}");
                }
                _ => tracing::debug!(%server, "{event}"),
            },
            // The first time is no news, and nothing may be said before the address that a runtime serves at.
            Event::Connected if *losses.borrow() == 0 => tracing::debug!(%server, "connected"),
            Event::Connected => tracing::info!(%server, "connected again"),
            Event::Disconnected => {
                tracing::warn!(%server, "connection lost; trying to come back");
                losses.send_modify(|losses| *losses = losses.wrapping_add(1));
            }
            Event::ServerError(_) | Event::SlowConsumer(_) => tracing::warn!(%server, "{event}"),
            _ => tracing::debug!(%server, "{event}"),
        }
        std::future::ready(())
    })
}

/// Whether another attempt would end in the same way.
fn is_final(error: &ConnectError) -> bool {
    use ConnectErrorKind::{Authentication, AuthorizationViolation, ServerParse, Tls};
    matches!(error.kind(), Authentication | AuthorizationViolation | ServerParse | Tls)
}

fn refused(server: &str, error: &ConnectError) -> Error {
    let advice = advice(&error.kind().to_string()).unwrap_or("check the URL");
    Error::new(ErrorKind::BadConfiguration, format!("{server}: {error}; {advice}"))
}

/// What to do about a failure that may not pass by itself. The client's events name the kind of a failure by its text.
fn advice(problem: &str) -> Option<&'static str> {
    let is = |kind: ConnectErrorKind| problem == kind.to_string();
    if is(ConnectErrorKind::Tls) {
        Some("check --nats-ca, --nats-cert and --nats-key")
    } else if is(ConnectErrorKind::Authentication) || is(ConnectErrorKind::AuthorizationViolation) {
        Some("check --nats-creds, --nats-nkey, --nats-token, --nats-user and --nats-password, or the user in the URL")
    } else {
        None
    }
}

fn unreachable(server: &str, limit: Duration, cause: &str) -> Error {
    let problem = format!("cannot reach {server} within {limit:?} (--connect-timeout): {cause}");
    Error::new(ErrorKind::Unavailable, format!("{problem}; is the server running, and the URL right?"))
}
