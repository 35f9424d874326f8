//! Sample telemetry of a component, for the page to show.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use opentelemetry::trace::{SpanContext, SpanKind, TraceFlags, TraceState};
use opentelemetry::{SpanId, TraceId};
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::span::{self, Event};
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;
use opentelemetry_proto::tonic::trace::v1::{Span, Status};
use tempo_dashboard::Recent;
use tempo_telemetry::{Origin, Record, Sink as _};

static IDS: AtomicU64 = AtomicU64::new(1);

/// One trace of a page.
pub(crate) struct Story<'a> {
    recent: &'a Recent,
    trace: TraceId,
    start: SystemTime,
}

impl<'a> Story<'a> {
    /// Starts a trace now.
    pub(crate) fn new(recent: &'a Recent) -> Self {
        let id = u128::from(next()).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835);
        Self { recent, trace: TraceId::from(id), start: SystemTime::now() }
    }

    /// Creates the ID of a span.
    pub(crate) fn context(&self, span: SpanId) -> SpanContext {
        SpanContext::new(self.trace, span, TraceFlags::SAMPLED, false, TraceState::NONE)
    }

    /// Adds a host span; times in milliseconds.
    pub(crate) fn host(
        &self,
        parent: SpanId,
        kind: SpanKind,
        name: &str,
        (from, to): (f64, f64),
        attributes: &[(&'static str, &str)],
    ) -> SpanId {
        let id = span();
        self.host_as(id, parent, kind, name, (from, to), attributes);
        id
    }

    /// Adds a host span with an ID created before, because other spans name it as their parent.
    pub(crate) fn host_as(
        &self,
        id: SpanId,
        parent: SpanId,
        kind: SpanKind,
        name: &str,
        (from, to): (f64, f64),
        attributes: &[(&'static str, &str)],
    ) {
        let failed = attributes.iter().any(|(key, _)| *key == "error.type");
        let code = if failed { StatusCode::Error } else { StatusCode::Unset };
        let span = Span {
            kind: span::SpanKind::from(kind).into(),
            attributes: pairs(attributes),
            status: Some(Status { message: String::new(), code: code.into() }),
            ..self.span(id, parent, name, (from, to))
        };
        let scope = InstrumentationScope { name: "tempo".to_owned(), ..InstrumentationScope::default() };
        self.recent.record(Origin::host(&scope), Record::Span(&span));
    }

    /// Adds a guest span.
    pub(crate) fn guest(
        &self,
        parent: SpanId,
        name: &str,
        (from, to): (f64, f64),
        attributes: &[(&str, &str)],
        event: Option<&str>,
    ) -> SpanId {
        let id = span();
        let event = event.map(|name| Event {
            name: name.to_owned(),
            time_unix_nano: nanos(self.at((from + to) / 2.0)),
            attributes: pairs(attributes),
            ..Event::default()
        });
        let span = Span {
            kind: 1,
            attributes: pairs(attributes),
            events: event.into_iter().collect(),
            ..self.span(id, parent, name, (from, to))
        };
        let scope = InstrumentationScope { name: "shop".to_owned(), ..InstrumentationScope::default() };
        let resource = Resource::default();
        self.recent.record(Origin::guest(&resource, &scope, ""), Record::Span(&span));
        id
    }

    fn span(&self, id: SpanId, parent: SpanId, name: &str, (from, to): (f64, f64)) -> Span {
        Span {
            trace_id: self.trace.to_bytes().to_vec(),
            span_id: id.to_bytes().to_vec(),
            parent_span_id: parent.to_bytes().to_vec(),
            name: name.to_owned(),
            start_time_unix_nano: nanos(self.at(from)),
            end_time_unix_nano: nanos(self.at(to)),
            ..Span::default()
        }
    }

    fn at(&self, millis: f64) -> SystemTime {
        let distance = Duration::from_secs_f64(millis.abs() / 1e3);
        if millis < 0.0 { self.start - distance } else { self.start + distance }
    }
}

/// A unique ID.
pub(crate) fn span() -> SpanId {
    SpanId::from(next().wrapping_mul(0x9e37_79b9_7f4a_7c15))
}

fn next() -> u64 {
    IDS.fetch_add(1, Ordering::Relaxed)
}

/// Converts to nanoseconds since 1970.
pub(crate) fn nanos(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos() as u64)
}

fn pairs(attributes: &[(&str, &str)]) -> Vec<KeyValue> {
    let value = |text: &str| Some(AnyValue { value: Some(Value::StringValue(text.to_owned())) });
    let pair = |(key, text): &(&str, &str)| KeyValue { key: (*key).to_owned(), value: value(text), key_strindex: 0 };
    attributes.iter().map(pair).collect()
}
