//! `Watchdog`: events of a connection besides its requests: periodic checks for idle and slow clients, and the phases
//! of the server's shutdown.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, Sleep};

use super::activity::{Activity, ConnectionStatus};
use super::connection::{Server, ServerPhase};
use super::send_rate::{MinSendRate, SHORT_SEND_WINDOW};
use super::send_watch::{SendCheck, SendWatch};

/// The minimum interval between two checks.
const MIN_CHECK_INTERVAL: Duration = Duration::from_millis(10);

/// An event that the connection has to handle.
pub(crate) enum Event {
    /// The server entered another phase.
    Phase(ServerPhase),
    /// A check found this status.
    Status(ConnectionStatus),
}

/// Periodically checks one connection.
pub(crate) struct Watchdog<'a> {
    server: &'a Server,
    activity: &'a Activity,
    sends: Arc<SendWatch>,
    phase: watch::Receiver<ServerPhase>,
    /// True while the backlog is full.
    full: watch::Receiver<bool>,
    /// When the server entered [`ServerPhase::Closing`].
    closing_since: Option<Instant>,
    next: Pin<Box<Sleep>>,
}

impl<'a> Watchdog<'a> {
    pub(crate) fn new(server: &'a Server, activity: &'a Activity, sends: Arc<SendWatch>) -> Self {
        let (phase, full) = (server.phase.clone(), server.backlog.full());
        let next = Box::pin(tokio::time::sleep(Duration::ZERO));
        let mut watchdog = Self { server, activity, sends, phase, full, closing_since: None, next };
        watchdog.schedule_check();
        watchdog
    }

    /// The server is closing: slow clients get shorter timeouts.
    pub(crate) fn shorten_timeouts(&mut self) {
        self.closing_since = Some(Instant::now());
        self.schedule_check();
    }

    /// Waits for the next phase or the next check.
    pub(crate) async fn next(mut self) -> (Event, Self) {
        tokio::select! {
            () = self.next.as_mut() => {}
            Ok(()) = self.full.changed() => {}
            Ok(()) = self.phase.changed() => {
                let phase = *self.phase.borrow_and_update();
                return (Event::Phase(phase), self);
            }
        }
        (Event::Status(self.check()), self)
    }

    fn check(&mut self) -> ConnectionStatus {
        self.schedule_check();
        let config = self.server.served.get().config.clone();
        match self.sends.check(self.send_rate(), std::time::Instant::now()) {
            SendCheck::Kept(0) => match self.closing_since {
                // An HTTP/2 client that does not acknowledge the shutdown is not waited for either.
                Some(since) if since.elapsed() >= SHORT_SEND_WINDOW => {
                    match self.activity.status(config.header_timeout, SHORT_SEND_WINDOW) {
                        ConnectionStatus::Idle => ConnectionStatus::TooSlow,
                        status => status,
                    }
                }
                _ => self.activity.status(config.header_timeout, config.idle_timeout),
            },
            SendCheck::Kept(streams) => {
                self.count();
                tracing::debug!(streams, "streams were reset: the client takes too little of what waits for it");
                ConnectionStatus::Keep
            }
            SendCheck::TooSlow => {
                self.count();
                tracing::debug!("a connection was ended: the client takes too little of what waits for it");
                ConnectionStatus::TooSlow
            }
        }
    }

    fn schedule_check(&mut self) {
        let config = self.server.served.get().config.clone();
        let period = (config.header_timeout.min(config.idle_timeout) / 4)
            .min(self.send_rate().check_interval())
            .max(MIN_CHECK_INTERVAL);
        self.next.as_mut().reset(Instant::now() + period);
    }

    fn send_rate(&self) -> MinSendRate {
        let send_rate = self.server.served.get().config.send_rate;
        if self.closing_since.is_some() || *self.full.borrow() { send_rate.shortened() } else { send_rate }
    }

    fn count(&self) {
        self.server.served.get().telemetry.count_limit_hit("min-send-rate");
    }
}
