//! `Pipeline`: the sink that encodes spans and records into the buffers.

use std::cell::Cell;
use std::sync::Arc;

use tempo_telemetry::{Record, Signal, Sink, SpanData};

use crate::guest_metrics::GuestMetrics;
use crate::otlp::buffer::{Buffer, ScopeKey};
use crate::otlp::encode;
use crate::resource::Attributes;

/// Maximum capacity of a thread's scratch buffer between spans.
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
    /// The encoded scope of the host's spans.
    scope: Vec<u8>,
}

impl Pipeline {
    pub(crate) fn new(
        buffers: Buffers,
        guests: Option<Arc<GuestMetrics>>,
        attributes: Attributes,
        scope: Vec<u8>,
    ) -> Self {
        Self { buffers, guests, attributes, scope }
    }
}

impl Sink for Pipeline {
    fn enabled(&self, signal: Signal) -> bool {
        self.buffers.of(signal).is_some() || (signal == Signal::Metrics && self.guests.is_some())
    }

    fn span(&self, span: SpanData) {
        let Some(buffer) = &self.buffers.traces else { return };
        // While a thread ends, its scratch buffer may be gone.
        let mut scratch = SCRATCH.try_with(Cell::take).unwrap_or_default();
        scratch.clear();
        encode::span(&mut scratch, &span);
        buffer.push(ScopeKey { resource: &[], scope: &self.scope, schema_url: "" }, &scratch);
        if scratch.capacity() <= MAX_SCRATCH_BYTES {
            let _ = SCRATCH.try_with(|kept| kept.set(scratch));
        }
    }

    fn record(&self, record: Record<'_>) {
        let metrics = record.signal == Signal::Metrics;
        if metrics && self.guests.as_ref().is_some_and(|guests| guests.aggregate(&record)) {
            return;
        }
        if let Some(buffer) = self.buffers.of(record.signal) {
            let key = ScopeKey { resource: record.resource, scope: record.scope, schema_url: record.schema_url };
            buffer.push(key, record.message);
        }
    }

    fn reserves(&self, key: &str) -> bool {
        self.attributes.reserves(key)
    }
}
