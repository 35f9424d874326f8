//! [`OtelCtxBuilder`]: the collector and limits of a context, in an embedding.

use std::fmt;
use std::sync::Arc;

use opentelemetry_proto::tonic::logs::v1::LogRecord;
use opentelemetry_proto::tonic::metrics::v1::Metric;
use opentelemetry_proto::tonic::trace::v1::Span;
use tempo_core::Limits;
use tempo_telemetry::Signal;

use crate::{Collector, Origin, OtelCtx};

/// Builds an [`OtelCtx`]. Make one context for each component: its clones share the limits.
pub struct OtelCtxBuilder {
    collector: Arc<dyn Collector>,
    limits: Limits,
}

impl OtelCtxBuilder {
    pub(crate) fn new() -> Self {
        Self { collector: Arc::new(NoCollector), limits: Limits::default() }
    }

    /// Sets the receiver of the telemetry. Default: all of it is discarded.
    #[must_use]
    pub fn collector(mut self, collector: Arc<dyn Collector>) -> Self {
        self.collector = collector;
        self
    }

    /// Sets the size that bodies of log records are cut to. Default: 8 KiB.
    #[must_use]
    pub fn max_line_bytes(mut self, bytes: usize) -> Self {
        self.limits.log_line = bytes;
        self
    }

    /// Sets the log records a second, and in a burst, beyond which records are dropped. Default: 100 and 500.
    #[must_use]
    pub fn log_rate(mut self, per_second: usize, burst: usize) -> Self {
        (self.limits.log_rate, self.limits.log_burst) = (per_second, burst);
        self
    }

    /// Returns the context.
    pub fn build(self) -> OtelCtx {
        OtelCtx::new(self.collector, &self.limits)
    }
}

impl fmt::Debug for OtelCtxBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OtelCtxBuilder").finish_non_exhaustive()
    }
}

/// Discards everything.
struct NoCollector;

impl Collector for NoCollector {
    fn enabled(&self, _: Signal) -> bool {
        false
    }

    fn span(&self, _: Origin<'_>, _: Span) {}

    fn metric(&self, _: Origin<'_>, _: Metric) {}

    fn log(&self, _: Origin<'_>, _: LogRecord) {}
}
