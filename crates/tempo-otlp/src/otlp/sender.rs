//! `Sender`: exports one signal, one request at a time, by schedule or when its buffer fills.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep, sleep_until, timeout_at};

use crate::losses::{LossReason, Losses};
use crate::otlp::buffer::{Batch, Buffer};
use crate::otlp::request;
use crate::otlp::retry::{Backoff, ExportOutcome};
use crate::otlp::transport::Transport;
use crate::stop::Stop;

/// Fills a buffer before an export.
pub(crate) type Fill = Box<dyn FnMut(&Buffer) + Send>;

/// Exports the contents of a buffer.
pub(crate) struct Sender {
    pub(crate) buffer: Arc<Buffer>,
    pub(crate) transport: Transport,
    /// The host's encoded resource.
    pub(crate) resource: Arc<[u8]>,
    /// Maximum time that an item waits before it is sent.
    pub(crate) delay: Duration,
    /// Timeout of one request with all its attempts.
    pub(crate) timeout: Duration,
    pub(crate) losses: Arc<Losses>,
    /// Fills the buffer before each scheduled export.
    pub(crate) fill: Option<Fill>,
}

impl Sender {
    /// Exports until `stop`, then sends the remaining items. May be dropped at any time.
    pub(crate) async fn run(mut self, mut stop: Stop) {
        // The collector may request a delay longer than the timeout of one request.
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
                if let Some(fill) = &mut self.fill {
                    fill(&self.buffer);
                }
            }
            while let Some(batch) = self.buffer.take() {
                self.send(batch, &mut stop, &mut not_before).await;
                self.losses.log(false);
                if !stop.is_set() && !self.buffer.is_filled() {
                    break;
                }
            }
            self.losses.log(false);
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
            Err(error) => return self.fail(batch, LossReason::Unreachable, &error.to_string()),
        };
        let deadline = Instant::now() + self.timeout;
        let mut backoff = Backoff::new();
        loop {
            let attempt = timeout_at(deadline, self.transport.send(payload.clone())).await;
            let (why, after) = match attempt {
                Ok(ExportOutcome::Accepted { rejected, message }) => return self.taken(batch, rejected, &message),
                Ok(ExportOutcome::Rejected { why }) => return self.fail(batch, LossReason::Rejected, &why),
                Ok(ExportOutcome::Retryable { why, after }) => (why, after),
                Err(_) => return self.fail(batch, LossReason::Unreachable, "no answer in time"),
            };
            let again = Instant::now() + backoff.wait(after);
            if after.is_some() {
                *not_before = again;
            }
            // A stopping exporter does not retry.
            if stop.is_set() || again >= deadline {
                return self.fail(batch, LossReason::Unreachable, &why);
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
            tracing::debug!("{} accepted telemetry with a message: {message}", self.transport.name());
        }
        batch.sent(rejected);
    }

    fn fail(&self, batch: Batch, reason: LossReason, why: &str) {
        self.losses.failed(format!("{}: {why}", self.transport.name()));
        batch.lost(reason);
    }
}
