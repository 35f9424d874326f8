//! [`LoggingCtxBuilder`]: the sink and limits of a context, in an embedding.

use std::fmt;
use std::sync::Arc;

use tempo_core::Limits;

use crate::{Events, LogSink, LoggingCtx};

/// Builds a [`LoggingCtx`]. Make one context for each component: its clones share the limits.
pub struct LoggingCtxBuilder {
    component: String,
    sink: Arc<dyn LogSink>,
    limits: Limits,
}

impl LoggingCtxBuilder {
    pub(crate) fn new() -> Self {
        Self { component: String::new(), sink: Arc::new(Events), limits: Limits::default() }
    }

    /// Sets the component's name, which each record has. Default: empty.
    #[must_use]
    pub fn component(mut self, name: impl Into<String>) -> Self {
        self.component = name.into();
        self
    }

    /// Sets the destination of messages. Default: [`Events`].
    #[must_use]
    pub fn sink(mut self, sink: Arc<dyn LogSink>) -> Self {
        self.sink = sink;
        self
    }

    /// Sets the size that messages are clipped to. Default: 8 KiB.
    #[must_use]
    pub fn max_line_bytes(mut self, bytes: usize) -> Self {
        self.limits.log_line = bytes;
        self
    }

    /// Sets the messages a second, and in a burst, beyond which messages are dropped. Default: 100 and 500.
    #[must_use]
    pub fn rate(mut self, per_second: usize, burst: usize) -> Self {
        (self.limits.log_rate, self.limits.log_burst) = (per_second, burst);
        self
    }

    /// Returns the context.
    pub fn build(self) -> LoggingCtx {
        LoggingCtx::new(&self.component, self.sink, &self.limits)
    }
}

impl fmt::Debug for LoggingCtxBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LoggingCtxBuilder").field("component", &self.component).finish_non_exhaustive()
    }
}
