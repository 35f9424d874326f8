//! Host spans.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

use opentelemetry::trace::{Link, SpanContext, SpanKind, Status, TraceFlags};
use opentelemetry::{InstrumentationScope, KeyValue, SpanId, Value};
use opentelemetry_proto::tonic::trace::v1;
use opentelemetry_sdk::trace::{SpanData, SpanEvents, SpanLinks};

use crate::ids;
use crate::record::{Origin, Record};
use crate::sampler::Sampler;
use crate::telemetry::Target;

/// A running span. Dropping it ends it.
pub struct Span {
    context: SpanContext,
    /// `None` if the span is not sampled.
    recording: Option<Recording>,
}

struct Recording {
    data: Box<SpanData>,
    target: Arc<Target>,
}

impl Span {
    pub(crate) fn start(
        target: &Arc<Target>,
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
                span_context: context.clone(),
                parent_span_id: parent.map_or(SpanId::INVALID, SpanContext::span_id),
                parent_span_is_remote: parent.is_some_and(SpanContext::is_remote),
                span_kind: kind,
                name: name(),
                start_time: now,
                end_time: now,
                attributes: Vec::with_capacity(8),
                dropped_attributes_count: 0,
                events: SpanEvents::default(),
                links: SpanLinks::default(),
                status: Status::Unset,
                // That of the target.
                instrumentation_scope: InstrumentationScope::default(),
            });
            Recording { data, target: target.clone() }
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

    /// Adds a link to a span of another trace.
    pub fn link(&mut self, context: SpanContext) {
        if let Some(data) = self.data() {
            data.links.links.push(Link::with_context(context));
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
        if let Some(Recording { mut data, target }) = self.recording.take() {
            // The system clock may have been set back.
            data.end_time = SystemTime::now().max(data.start_time);
            target.sink.record(Origin::host(&target.scope), Record::Span(&v1::Span::from(*data)));
        }
    }
}

impl fmt::Debug for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Span").field("context", &self.context).finish_non_exhaustive()
    }
}
