//! A span of the host: what it did for a client, a guest or a message, and how long that took.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

use opentelemetry::trace::{SpanContext, SpanKind, Status, TraceFlags};
use opentelemetry::{KeyValue, SpanId, Value};

use super::ids;
use super::sampler::Sampler;
use crate::sink::Sink;

/// What is told of a span when it has ended.
#[derive(Clone, Debug)]
pub struct SpanData {
    /// Its ids.
    pub context: SpanContext,
    /// The span it is part of; [`SpanId::INVALID`] if it begins a trace.
    pub parent: SpanId,
    /// Whether the parent is another program's.
    pub parent_is_remote: bool,
    /// What it is to the others in the trace.
    pub kind: SpanKind,
    /// What was done, in few words that many spans share.
    pub name: Cow<'static, str>,
    /// When it began.
    pub start: SystemTime,
    /// When it ended.
    pub end: SystemTime,
    /// The circumstances, by the semantic conventions of OpenTelemetry.
    pub attributes: Vec<KeyValue>,
    /// Spans of other traces that it has to do with.
    pub links: Vec<SpanContext>,
    /// How it ended.
    pub status: Status,
}

/// A span that runs. It ends when it is dropped.
pub struct Span {
    context: SpanContext,
    /// Only if it is sampled.
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

    /// Its ids.
    pub fn context(&self) -> &SpanContext {
        &self.context
    }

    /// What will be told of it, if anything.
    pub fn data(&mut self) -> Option<&mut SpanData> {
        self.recording.as_mut().map(|recording| &mut *recording.data)
    }

    /// Sets an attribute.
    pub fn set(&mut self, key: &'static str, value: impl Into<Value>) {
        if let Some(data) = self.data() {
            data.attributes.push(KeyValue::new(key, value));
        }
    }

    /// Says that what was done failed, with `error.type`, a word of a small set.
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
            // The clock may have been set back meanwhile.
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
