//! Takes what the host and its guests tell, and puts it into the buffers as bytes.

use std::cell::Cell;
use std::sync::Arc;

use tempo_telemetry::{Record, Signal, Sink, SpanData};

use crate::buffer::{Buffer, Source};
use crate::encode;
use crate::guest_metrics::GuestMetrics;
use crate::resource::Attributes;

/// What a thread keeps for its next span.
const MAX_SCRATCH: usize = 16 * 1024;

thread_local! {
    static SCRATCH: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// A buffer for each signal that is sent.
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

/// The sink whose other end is a collector.
pub(crate) struct Pipeline {
    buffers: Buffers,
    /// Takes those of the guests' metrics that can be summed, if anybody wants metrics.
    guests: Option<Arc<GuestMetrics>>,
    attributes: Attributes,
    /// The scope of the host's own spans, encoded.
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
        // A thread that ends may tell a span when its scratch is gone.
        let mut scratch = SCRATCH.try_with(Cell::take).unwrap_or_default();
        scratch.clear();
        encode::span(&mut scratch, &span);
        buffer.push(Source { resource: &[], scope: &self.scope, schema_url: "" }, &scratch);
        if scratch.capacity() <= MAX_SCRATCH {
            let _ = SCRATCH.try_with(|kept| kept.set(scratch));
        }
    }

    fn record(&self, record: Record<'_>) {
        let metrics = record.signal == Signal::Metrics;
        if metrics && self.guests.as_ref().is_some_and(|guests| guests.take(&record)) {
            return;
        }
        if let Some(buffer) = self.buffers.of(record.signal) {
            let source = Source { resource: record.resource, scope: record.scope, schema_url: record.schema_url };
            buffer.push(source, record.message);
        }
    }

    fn reserves(&self, key: &str) -> bool {
        self.attributes.reserves(key)
    }
}
