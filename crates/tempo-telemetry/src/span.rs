//! Host spans.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

use opentelemetry::trace::{SpanContext, SpanKind, Status, TraceFlags};
use opentelemetry::{KeyValue, SpanId, Value};

use super::ids;
use super::sampler::Sampler;
use crate::sink::Sink;

/// The data of a finished span.
#[derive(Clone, Debug)]
pub struct SpanData {
    /// The span context: trace id, span id, flags.
    pub context: SpanContext,
    /// The parent span; [`SpanId::INVALID`] for a root span.
    pub parent: SpanId,
    /// Whether the parent belongs to another process.
    pub parent_is_remote: bool,
    /// The span kind.
    pub kind: SpanKind,
    /// The span name, of low cardinality.
    pub name: Cow<'static, str>,
    /// Start time.
    pub start: SystemTime,
    /// End time.
    pub end: SystemTime,
    /// Attributes, by the OpenTelemetry semantic conventions.
    pub attributes: Vec<KeyValue>,
    /// Links to spans of other traces.
    pub links: Vec<SpanContext>,
    /// The span status.
    pub status: Status,
}

/// A running span. Dropping it ends it.
pub struct Span {
    context: SpanContext,
    /// `None` if the span is not sampled.
    recording: Option<Recording>,
}

struct Recording {
    data: Box<SpanData>,
    sink: Arc<dyn Sink>,
}

impl Span {
    pub(super) fn start(
        sink: &Arc<dyn Sink>,
        sampler: Sampler,
        kind: SpanKind,
        parent: Option<&SpanContext>,
        name: impl FnOnce() -> Cow<'static, str>,
    ) -> Self {
        let trace = parent.map_or_else(ids::trace_id, SpanContext::trace_id);
        let sampled = sampler.samples(trace, parent);
        let flags = TraceFlags::default().with_sampled(sampled);
        let state = parent.map(|parent| parent.trace_state().clone()).unwrap_or_default();
        let context = SpanContext::new(trace, ids::span_id(), flags, false, state);
        let recording = sampled.then(|| {
            let now = SystemTime::now();
            let data = Box::new(SpanData {
                context: context.clone(),
                parent: parent.map_or(SpanId::INVALID, SpanContext::span_id),
                parent_is_remote: parent.is_some_and(SpanContext::is_remote),
                kind,
                name: name(),
                start: now,
                end: now,
                attributes: Vec::with_capacity(8),
                links: Vec::new(),
                status: Status::Unset,
            });
            Recording { data, sink: sink.clone() }
        });
        Self { context, recording }
    }

    /// Returns the span context.
    pub fn context(&self) -> &SpanContext {
        &self.context
    }

    /// Returns the data to be exported, or `None` if the span is not sampled.
    pub fn data(&mut self) -> Option<&mut SpanData> {
        self.recording.as_mut().map(|recording| &mut *recording.data)
    }

    /// Sets an attribute.
    pub fn set(&mut self, key: &'static str, value: impl Into<Value>) {
        if let Some(data) = self.data() {
            data.attributes.push(KeyValue::new(key, value));
        }
    }

    /// Sets the error status and `error.type`, which is a low-cardinality value.
    pub fn fail(&mut self, error: &'static str) {
        if let Some(data) = self.data() {
            data.attributes.push(KeyValue::new("error.type", error));
            data.status = Status::error("");
        }
    }
}

impl Drop for Span {
    fn drop(&mut self) {
        if let Some(Recording { mut data, sink }) = self.recording.take() {
            // The system clock may have been set back.
            data.end = SystemTime::now().max(data.start);
            sink.span(*data);
        }
    }
}

impl fmt::Debug for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Span").field("context", &self.context).finish_non_exhaustive()
    }
}
