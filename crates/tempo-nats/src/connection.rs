//! Connections to NATS: one per server, credentials and process, shared by all stores.
//!
//! The first user opens a connection, and dropping the last store closes it. It reconnects indefinitely. Its tasks run on
//! the runtime that opened it; stores may be used from any.

use std::error::Error as _;
use std::future::Future;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use async_nats::connection::State;
use async_nats::jetstream::{self, context::ContextBuilder};
use async_nats::{Client, ClientError, ConnectError, ConnectErrorKind, ConnectOptions, Event};
use tempo_backend::BackendContext;
use tempo_settings::{Error, ErrorKind};
use tokio::sync::{OnceCell, watch};
use tokio::time::{Instant, sleep, timeout, timeout_at};

use crate::address::Address;
use crate::options::{self, FileState, Options};

/// Timeout of a request, without the wait for a reconnect.
pub(crate) const REQUEST_TIMEOUT: Duration = Duration::from_secs(5);

/// How long a request waits for a reconnect before it fails unsent.
const RECONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Interval to poll a lost connection, and to retry an unreachable server at start.
const POLL_INTERVAL: Duration = Duration::from_millis(20);
const CONNECT_RETRY_INTERVAL: Duration = Duration::from_millis(200);

/// Stores with equal keys share a connection. A store that is opened after a file of the options has changed, as by a reload, gets
/// another one.
type ConnectionKey = (String, Options, Vec<FileState>);

/// A connection that is open or being opened; only its users wait for it.
type ConnectionSlot = OnceCell<Inner>;

static SLOTS: Mutex<Vec<(ConnectionKey, Weak<ConnectionSlot>)>> = Mutex::new(Vec::new());

/// An open connection.
#[derive(Clone)]
struct Inner {
    client: Client,
    jetstream: jetstream::Context,
    /// Counts losses of the connection. Closed when its tasks have ended.
    losses: watch::Receiver<u64>,
}

/// A reference to a shared connection.
#[derive(Clone)]
pub(crate) struct Connection {
    inner: Inner,
    _user: Arc<ConnectionUser>,
}

/// A store that uses a connection. Its readiness check ends with it, though others may use the connection longer.
#[derive(Default)]
struct ConnectionUser(Arc<ConnectionSlot>);

/// The connection was lost during a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ConnectionLost {
    /// There was no connection; the request was not sent.
    NotSent,
    /// The connection was lost while the reply was awaited.
    AwaitingReply,
}

impl Connection {
    /// Opens or shares the connection to the servers of `address`, with its credentials or those of the settings. While
    /// it is lost, the readiness check fails.
    ///
    /// # Errors
    ///
    /// A [`tempo_settings::Error`]: an invalid setting, a refused login, or a timeout.
    pub(crate) async fn open(address: &Address, context: BackendContext<'_>) -> tempo_settings::Result<Self> {
        let options = Options::read(context.settings, address)?;
        let limit = options::connect_timeout(context.settings)?;
        let slot = slot((address.server(), options.clone(), options.file_states().await));
        let inner = slot.get_or_try_init(|| open(address, &options, limit)).await?.clone();
        let user = Arc::new(ConnectionUser(slot));
        if let Some(health) = context.health {
            let server = address.server();
            health.add_readiness_check(&user, move |user| user.lost().then(|| format!("{server} is not connected")));
        }
        Ok(Self { inner, _user: user })
    }

    /// Uses a connection of the embedder's. It is not shared with stores that are opened by URL.
    pub(crate) fn of_client(client: Client) -> Self {
        let (counter, losses) = watch::channel(0);
        tokio::spawn(count_losses(client.clone(), counter));
        let jetstream = ContextBuilder::new().timeout(REQUEST_TIMEOUT).build(client.clone());
        Self { inner: Inner { client, jetstream, losses }, _user: Arc::default() }
    }

    /// Returns the JetStream context.
    pub(crate) fn jetstream(&self) -> &jetstream::Context {
        &self.inner.jetstream
    }

    /// Returns the core NATS client.
    pub(crate) fn client(&self) -> &Client {
        &self.inner.client
    }

    /// Runs `request` at most once, after a pending reconnect.
    pub(crate) async fn request<T>(&self, request: impl Future<Output = T>) -> Result<T, ConnectionLost> {
        self.ready().await?;
        let mut losses = self.losses();
        tokio::select! {
            biased;
            answer = request => Ok(answer),
            _ = losses.changed() => Err(ConnectionLost::AwaitingReply),
        }
    }

    /// Waits for a reconnect.
    pub(crate) async fn ready(&self) -> Result<(), ConnectionLost> {
        let connected = || self.inner.client.connection_state() == State::Connected;
        let returned = async {
            while !connected() {
                sleep(POLL_INTERVAL).await;
            }
        };
        if connected() {
            Ok(())
        } else {
            timeout(RECONNECT_TIMEOUT, returned).await.map_err(|_| ConnectionLost::NotSent)
        }
    }

    /// Notifies of losses from now on.
    pub(crate) fn losses(&self) -> watch::Receiver<u64> {
        let mut losses = self.inner.losses.clone();
        losses.mark_unchanged();
        losses
    }

    /// Returns the server's maximum message size, in bytes.
    #[cfg(any(feature = "blobstore", feature = "keyvalue"))]
    pub(crate) fn max_payload(&self) -> usize {
        self.inner.client.server_info().max_payload
    }
}

/// Returns the slot of the connection with this key.
fn slot(key: ConnectionKey) -> Arc<ConnectionSlot> {
    let mut slots = SLOTS.lock().unwrap_or_else(PoisonError::into_inner);
    slots.retain(|(_, slot)| slot.strong_count() > 0);
    // The tasks of a connection end with their runtime, which may end before the process in tests and embeddings.
    let alive = |slot: &Arc<ConnectionSlot>| slot.get().is_none_or(|inner| inner.losses.has_changed().is_ok());
    let same = slots.iter().filter(|(other, _)| *other == key);
    if let Some(slot) = same.filter_map(|(_, slot)| slot.upgrade()).find(alive) {
        return slot;
    }
    let slot = Arc::new(ConnectionSlot::new());
    slots.push((key, Arc::downgrade(&slot)));
    slot
}

impl ConnectionUser {
    /// Returns whether the connection is lost.
    fn lost(&self) -> bool {
        self.0.get().is_some_and(|inner| inner.client.connection_state() != State::Connected)
    }
}

/// Retries until `limit`: in a fresh deployment the server may start at the same time.
async fn open(address: &Address, options: &Options, limit: Duration) -> tempo_settings::Result<Inner> {
    let server = address.server();
    let (counter, losses) = watch::channel(0);
    let client_options = with_events(options.client(limit).await?, &server, counter);
    let deadline = Instant::now().checked_add(limit);
    let too_long = || Error::new(ErrorKind::BadConfiguration, "--connect-timeout is too long");
    let deadline = deadline.ok_or_else(too_long)?;
    let mut cause = "no answer".to_owned();
    loop {
        match timeout_at(deadline, client_options.clone().connect(address.servers())).await {
            Ok(Ok(client)) => {
                // Created here, as it spawns a task.
                let jetstream = ContextBuilder::new().timeout(REQUEST_TIMEOUT).build(client.clone());
                return Ok(Inner { client, jetstream, losses });
            }
            Ok(Err(error)) if is_final(&error) => return Err(refused(&server, &error)),
            Ok(Err(error)) => cause = error.source().map_or_else(|| error.to_string(), ToString::to_string),
            Err(_) => return Err(unreachable(&server, limit, &cause)),
        }
        if timeout_at(deadline, sleep(CONNECT_RETRY_INTERVAL)).await.is_err() {
            return Err(unreachable(&server, limit, &cause));
        }
    }
}

/// Counts the losses of a client whose events are the embedder's, until no store uses it. The client counts its connects, so
/// a loss between two polls is not missed.
async fn count_losses(client: Client, losses: watch::Sender<u64>) {
    let statistics = client.statistics();
    let mut seen = (statistics.connects.load(Relaxed), client.connection_state() == State::Connected);
    while timeout(POLL_INTERVAL, losses.closed()).await.is_err() {
        let now = (statistics.connects.load(Relaxed), client.connection_state() == State::Connected);
        // It was connected, and is no longer, or has reconnected in between.
        if seen.1 && now != seen {
            losses.send_modify(|losses| *losses = losses.wrapping_add(1));
        }
        seen = now;
    }
}

/// Counts losses and logs events of the connection.
fn with_events(options: ConnectOptions, server: &str, losses: watch::Sender<u64>) -> ConnectOptions {
    let (server, losses) = (server.to_owned(), Arc::new(losses));
    let refused_since = AtomicU64::new(0);
    options.request_timeout(Some(REQUEST_TIMEOUT)).event_callback(move |event| {
        match &event {
            Event::ClientError(ClientError::Other(problem)) => match advice(problem) {
                // Logged once per loss: there are two attempts per second.
                Some(advice) if refused_since.swap(*losses.borrow(), Relaxed) != *losses.borrow() => {
                    tracing::warn!(%server, "no connection yet: {problem}; {advice}");
                }
                _ => tracing::debug!(%server, "{event}"),
            },
            // Not logged the first time: the address that a runtime serves at is the first line.
            Event::Connected if *losses.borrow() == 0 => tracing::debug!(%server, "connected"),
            Event::Connected => tracing::info!(%server, "connected again"),
            Event::Disconnected => {
                tracing::warn!(%server, "connection lost; reconnecting");
                losses.send_modify(|losses| *losses = losses.wrapping_add(1));
            }
            Event::ServerError(_) | Event::SlowConsumer(_) => tracing::warn!(%server, "{event}"),
            _ => tracing::debug!(%server, "{event}"),
        }
        std::future::ready(())
    })
}

/// Returns whether a retry cannot succeed.
fn is_final(error: &ConnectError) -> bool {
    use ConnectErrorKind::{Authentication, AuthorizationViolation, ServerParse, Tls};
    matches!(error.kind(), Authentication | AuthorizationViolation | ServerParse | Tls)
}

fn refused(server: &str, error: &ConnectError) -> Error {
    let advice = advice(&error.kind().to_string()).unwrap_or("check the URL");
    Error::new(ErrorKind::BadConfiguration, format!("{server}: {error}; {advice}"))
}

/// Advice for a failure that may be permanent. The client's events contain error kinds as text.
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
