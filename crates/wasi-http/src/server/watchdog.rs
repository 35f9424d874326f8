//! What happens to a connection besides its requests: its timer looks for clients that send or take nothing, and the server
//! stops.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, Sleep};

use super::activity::{Activity, Verdict};
use super::connection::{Phase, Server};
use super::pace::{HURRY, Pace};
use super::send_watch::{Pacing, SendWatch};
use super::worker::Worker;

/// The shortest time between two looks.
const SHORTEST: Duration = Duration::from_millis(10);

/// What a connection has to react to.
pub(crate) enum Event {
    /// The server is in another phase.
    Phase(Phase),
    /// The watchdog has looked at the connection.
    Look(Verdict),
}

/// Looks at one connection now and then.
pub(crate) struct Watchdog<'a> {
    worker: &'a Worker,
    activity: &'a Activity,
    sends: Arc<SendWatch>,
    phase: watch::Receiver<Phase>,
    /// Whether the backlog is full.
    full: watch::Receiver<bool>,
    /// Since when the server stops.
    stops: Option<Instant>,
    next: Pin<Box<Sleep>>,
}

impl<'a> Watchdog<'a> {
    pub(crate) fn new(server: &'a Server, activity: &'a Activity, sends: Arc<SendWatch>) -> Self {
        let (phase, full) = (server.phase.clone(), server.backlog.full());
        let next = Box::pin(tokio::time::sleep(Duration::ZERO));
        let mut watchdog = Self { worker: &server.worker, activity, sends, phase, full, stops: None, next };
        watchdog.rest();
        watchdog
    }

    /// The server stops: what a client does not take is not waited for.
    pub(crate) fn hurry(&mut self) {
        self.stops = Some(Instant::now());
        self.rest();
    }

    /// Waits until the server is in another phase, or it is time to look.
    pub(crate) async fn next(mut self) -> (Event, Self) {
        tokio::select! {
            () = self.next.as_mut() => {}
            Ok(()) = self.full.changed() => {}
            Ok(()) = self.phase.changed() => {
                let phase = *self.phase.borrow_and_update();
                return (Event::Phase(phase), self);
            }
        }
        (Event::Look(self.look()), self)
    }

    fn look(&mut self) -> Verdict {
        self.rest();
        let config = &self.worker.config;
        match self.sends.judge(self.pace(), std::time::Instant::now()) {
            Pacing::Kept(0) => match self.stops {
                // A client of HTTP/2 that does not answer is not waited for either.
                Some(since) if since.elapsed() >= HURRY => match self.activity.verdict(config.header_timeout, HURRY) {
                    Verdict::Idle => Verdict::TooSlow,
                    verdict => verdict,
                },
                _ => self.activity.verdict(config.header_timeout, config.idle_timeout),
            },
            Pacing::Kept(streams) => {
                self.count();
                tracing::debug!(streams, "streams were reset: the client takes too little of what waits for it");
                Verdict::Keep
            }
            Pacing::TooSlow => {
                self.count();
                tracing::debug!("a connection was ended: the client takes too little of what waits for it");
                Verdict::TooSlow
            }
        }
    }

    fn rest(&mut self) {
        let config = &self.worker.config;
        let period = (config.header_timeout.min(config.idle_timeout) / 4).min(self.pace().period()).max(SHORTEST);
        self.next.as_mut().reset(Instant::now() + period);
    }

    fn pace(&self) -> Pace {
        let pace = self.worker.config.pace;
        if self.stops.is_some() || *self.full.borrow() { pace.hurried() } else { pace }
    }

    fn count(&self) {
        self.worker.workload.telemetry().count_limit_hit("min-send-rate");
    }
}
