//! The loop that sends one signal: one request at a time, when there is much to send or the schedule says so.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep, sleep_until, timeout_at};

use crate::buffer::{Batch, Buffer};
use crate::losses::{Losses, Reason};
use crate::request;
use crate::retry::{Backoff, Outcome};
use crate::stop::Stop;
use crate::transport::Transport;

/// What puts something into a buffer.
pub(crate) type Fill = Box<dyn Fn(&Buffer) + Send>;

/// Sends what is in a buffer.
pub(crate) struct Sender {
    pub(crate) buffer: Arc<Buffer>,
    pub(crate) transport: Transport,
    /// The host's resource, encoded.
    pub(crate) resource: Arc<[u8]>,
    /// How long something waits at most before it is sent.
    pub(crate) delay: Duration,
    /// For one request, all attempts together.
    pub(crate) timeout: Duration,
    pub(crate) losses: Arc<Losses>,
    /// What fills the buffer before it is sent by schedule.
    pub(crate) source: Option<Fill>,
}

impl Sender {
    /// Sends until `stop`, and then what is left. It may be dropped at any time.
    pub(crate) async fn run(self, mut stop: Stop) {
        // The collector may ask to be left alone for longer than one request may take.
        let mut not_before = Instant::now();
        let mut next = Instant::now() + self.delay;
        loop {
            tokio::select! {
                () = stop.wait() => {}
                () = self.buffer.filled() => {}
                () = sleep_until(next) => {}
            }
            let last = stop.is_set();
            if last || Instant::now() >= next {
                next = Instant::now() + self.delay;
                if let Some(fill) = &self.source {
                    fill(&self.buffer);
                }
            }
            while let Some(batch) = self.buffer.take() {
                self.send(batch, &mut stop, &mut not_before).await;
                self.losses.tell(false);
                if !stop.is_set() && !self.buffer.is_filled() {
                    break;
                }
            }
            self.losses.tell(false);
            if last {
                return;
            }
        }
    }

    async fn send(&self, batch: Batch, stop: &mut Stop, not_before: &mut Instant) {
        tokio::select! {
            () = stop.wait() => {}
            () = sleep_until(*not_before) => {}
        }
        let payload = match self.transport.payload(request::assemble(&self.resource, &batch)) {
            Ok(payload) => payload,
            Err(error) => return self.fail(batch, Reason::Unreachable, &error.to_string()),
        };
        let deadline = Instant::now() + self.timeout;
        let mut backoff = Backoff::new();
        loop {
            let attempt = timeout_at(deadline, self.transport.send(payload.clone())).await;
            let (why, after) = match attempt {
                Ok(Outcome::Taken { rejected, message }) => return self.taken(batch, rejected, &message),
                Ok(Outcome::Refused { why }) => return self.fail(batch, Reason::Rejected, &why),
                Ok(Outcome::Later { why, after }) => (why, after),
                Err(_) => return self.fail(batch, Reason::Unreachable, "no answer in time"),
            };
            let again = Instant::now() + backoff.wait(after);
            if after.is_some() {
                *not_before = again;
            }
            // One that ends has no time for another attempt.
            if stop.is_set() || again >= deadline {
                return self.fail(batch, Reason::Unreachable, &why);
            }
            tracing::debug!("telemetry is sent again: {}: {why}", self.transport.name());
            tokio::select! {
                () = stop.wait() => {}
                () = sleep(again.saturating_duration_since(Instant::now())) => {}
            }
        }
    }

    fn taken(&self, batch: Batch, rejected: u64, message: &str) {
        if rejected > 0 {
            self.losses.failed(format!("{} rejected them: {message}", self.transport.name()));
        } else if !message.is_empty() {
            tracing::debug!("{} says of telemetry: {message}", self.transport.name());
        }
        batch.sent(rejected);
    }

    fn fail(&self, batch: Batch, reason: Reason, why: &str) {
        self.losses.failed(format!("{}: {why}", self.transport.name()));
        batch.lost(reason);
    }
}
