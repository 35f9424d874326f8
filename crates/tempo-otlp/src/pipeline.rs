//! `Pipeline`: the sink that encodes spans and records into the buffers.

use std::cell::Cell;
use std::sync::Arc;

use prost::Message;
use tempo_telemetry::{Origin, Record, Signal, Sink};

use crate::guest_metrics::GuestMetrics;
use crate::otlp::buffer::{Buffer, ScopeKey};
use crate::resource::Attributes;

/// Maximum capacity of a thread's scratch buffer between records.
const MAX_SCRATCH_BYTES: usize = 16 * 1024;

thread_local! {
    static SCRATCH: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// One buffer per exported signal.
#[derive(Default)]
pub(crate) struct Buffers {
    pub(crate) traces: Option<Arc<Buffer>>,
    pub(crate) metrics: Option<Arc<Buffer>>,
    pub(crate) logs: Option<Arc<Buffer>>,
}

impl Buffers {
    pub(crate) fn all(&self) -> Vec<Arc<Buffer>> {
        [&self.traces, &self.metrics, &self.logs].into_iter().flatten().cloned().collect()
    }

    fn of(&self, signal: Signal) -> Option<&Arc<Buffer>> {
        match signal {
            Signal::Traces => self.traces.as_ref(),
            Signal::Metrics => self.metrics.as_ref(),
            Signal::Logs => self.logs.as_ref(),
        }
    }
}

/// The sink of the exporters.
pub(crate) struct Pipeline {
    buffers: Buffers,
    /// Aggregates guest metrics, if they are exported or scraped.
    guests: Option<Arc<GuestMetrics>>,
    attributes: Attributes,
}

impl Pipeline {
    pub(crate) fn new(buffers: Buffers, guests: Option<Arc<GuestMetrics>>, attributes: Attributes) -> Self {
        Self { buffers, guests, attributes }
    }

    /// Encodes `message` into the buffer of `signal`, if it is exported.
    fn push(&self, signal: Signal, origin: Origin<'_>, message: &impl Message) {
        let Some(buffer) = self.buffers.of(signal) else { return };
        // While a thread ends, its scratch buffer may be gone.
        let mut scratch = SCRATCH.try_with(Cell::take).unwrap_or_default();
        scratch.clear();
        if let Some((resource, scope, message)) = encode(&mut scratch, origin, message) {
            buffer.push(ScopeKey { resource, scope, schema_url: origin.schema_url }, message);
        }
        if scratch.capacity() <= MAX_SCRATCH_BYTES {
            let _ = SCRATCH.try_with(|kept| kept.set(scratch));
        }
    }
}

/// Writes the resource, the scope and the message into `out`, and returns them.
fn encode<'a>(
    out: &'a mut Vec<u8>,
    origin: Origin<'_>,
    message: &impl Message,
) -> Option<(&'a [u8], &'a [u8], &'a [u8])> {
    // Writing to a vector cannot fail.
    origin.resource.map_or(Ok(()), |resource| resource.encode(out)).ok()?;
    let resource = out.len();
    origin.scope.encode(out).ok()?;
    let scope = out.len();
    message.encode(out).ok()?;
    let (origin, message) = out.split_at_checked(scope)?;
    let (resource, scope) = origin.split_at_checked(resource)?;
    Some((resource, scope, message))
}

impl Sink for Pipeline {
    fn enabled(&self, signal: Signal) -> bool {
        self.buffers.of(signal).is_some() || (signal == Signal::Metrics && self.guests.is_some())
    }

    fn record(&self, origin: Origin<'_>, record: Record<'_>) {
        match record {
            Record::Metric(metric) if self.guests.as_ref().is_some_and(|guests| guests.aggregate(origin, metric)) => {}
            Record::Metric(metric) => self.push(Signal::Metrics, origin, metric),
            Record::Span(span) => self.push(Signal::Traces, origin, span),
            Record::Log(record) => self.push(Signal::Logs, origin, record),
        }
    }

    fn reserves(&self, key: &str) -> bool {
        self.attributes.reserves(key)
    }
}
