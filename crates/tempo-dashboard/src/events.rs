//! The dashboard's stream of server-sent events: batches of new rows, resumable by event ID.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::{Stream, stream};
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::time::{Instant, Interval, MissedTickBehavior};

use crate::dashboard::State;

/// Interval of metrics events.
const METRICS_INTERVAL: Duration = Duration::from_secs(1);
/// Minimum interval between batches, so that readers do not slow down a runtime under load.
const MIN_BATCH_INTERVAL: Duration = Duration::from_millis(100);
/// Maximum duration of a stream. The browser reconnects and resumes.
pub(crate) const STREAM_LIFETIME: Duration = Duration::from_secs(300);

/// State of one stream.
struct EventReader {
    state: Arc<State>,
    changes: watch::Receiver<u64>,
    metrics: Interval,
    greeted: bool,
    /// The description that was sent last; a runtime that is starting has none yet.
    described: Option<Arc<Value>>,
    seen: u64,
    next_batch: Instant,
    end: Instant,
}

/// Creates the events after `last_event`, or all events if that ID is of another run.
pub(crate) fn events(state: Arc<State>, last_event: Option<&str>) -> impl Stream<Item = Bytes> + Send + use<> {
    let resumed = last_event.and_then(|id| id.strip_prefix(&state.run)?.strip_prefix('-')?.parse().ok());
    let mut metrics = tokio::time::interval(METRICS_INTERVAL);
    metrics.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let now = Instant::now();
    let reader = EventReader {
        changes: state.recent.changes(),
        metrics,
        greeted: false,
        described: None,
        seen: resumed.unwrap_or(0),
        next_batch: now,
        end: now + STREAM_LIFETIME,
        state,
    };
    let frames = stream::unfold(reader, |mut reader| async { Some((reader.next().await?, reader)) });
    Box::pin(frames) as Pin<Box<dyn Stream<Item = Bytes> + Send>>
}

impl EventReader {
    /// Returns the next events, or `None` at the end of the stream.
    async fn next(&mut self) -> Option<Bytes> {
        if !std::mem::replace(&mut self.greeted, true) {
            return Some(format!("retry: 1000\n{}", self.greeting()).into());
        }
        let (seen, next_batch, changes) = (self.seen, self.next_batch, &mut self.changes);
        let news = async {
            tokio::time::sleep_until(next_batch).await;
            changes.wait_for(|last| *last > seen).await.is_ok()
        };
        tokio::select! {
            () = tokio::time::sleep_until(self.end) => None,
            _ = self.metrics.tick() => Some(self.metrics_frame().into()),
            true = news => Some(self.batch().into()),
            else => None,
        }
    }

    fn greeting(&mut self) -> String {
        let component = self.state.component();
        let hello = json!({ "run": self.state.run, "component": *component });
        self.described = Some(component);
        frame("hello", &hello.to_string())
    }

    fn metrics_frame(&mut self) -> String {
        let component = self.state.component();
        let is_described = self.described.as_ref().is_some_and(|described| Arc::ptr_eq(described, &component));
        let greeting = if is_described { String::new() } else { self.greeting() };
        let metrics = json!({ "not_ready": self.state.health.not_ready(), "families": self.state.scrape.families() });
        greeting + &frame("metrics", &metrics.to_string())
    }

    fn batch(&mut self) -> String {
        let batch = self.state.recent.after(self.seen);
        self.seen = batch.last;
        self.next_batch = Instant::now() + MIN_BATCH_INTERVAL;
        let mut text = String::new();
        if batch.lost > 0 {
            text.push_str(&frame("lost", &batch.lost.to_string()));
        }
        for (name, rows) in [("spans", &batch.spans), ("lines", &batch.lines)] {
            if !rows.is_empty() {
                text.push_str(&frame(name, &array(rows)));
            }
        }
        format!("id: {}-{}\n{text}", self.state.run, self.seen)
    }
}

/// Concatenates JSON rows into an array.
pub(crate) fn array(rows: &[Arc<str>]) -> String {
    format!("[{}]", rows.join(","))
}

/// Formats an event. JSON contains no raw line breaks.
fn frame(name: &str, data: &str) -> String {
    format!("event: {name}\ndata: {data}\n\n")
}
