//! Sample telemetry of a component, for the page to show.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use opentelemetry::trace::{SpanContext, SpanKind, Status, TraceFlags, TraceState};
use opentelemetry::{KeyValue, SpanId, TraceId};
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue as GuestKeyValue};
use opentelemetry_proto::tonic::trace::v1::span::Event;
use opentelemetry_proto::tonic::trace::v1::{Span, Status as GuestStatus};
use prost::Message as _;
use tempo_dashboard::Recent;
use tempo_telemetry::{Record, Signal, Sink as _, SpanData};

static IDS: AtomicU64 = AtomicU64::new(1);

/// One trace of a page.
pub struct Story<'a> {
    recent: &'a Recent,
    trace: TraceId,
    start: SystemTime,
}

impl<'a> Story<'a> {
    /// Starts a trace now.
    pub fn new(recent: &'a Recent) -> Self {
        let id = u128::from(next()).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835);
        Self { recent, trace: TraceId::from(id), start: SystemTime::now() }
    }

    /// Creates the ID of a span.
    pub fn context(&self, span: SpanId) -> SpanContext {
        SpanContext::new(self.trace, span, TraceFlags::SAMPLED, false, TraceState::NONE)
    }

    /// Adds a host span; times in milliseconds.
    pub fn host(
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
    pub fn host_as(
        &self,
        id: SpanId,
        parent: SpanId,
        kind: SpanKind,
        name: &str,
        (from, to): (f64, f64),
        attributes: &[(&'static str, &str)],
    ) {
        let failed = attributes.iter().any(|(key, _)| *key == "error.type");
        self.recent.span(SpanData {
            context: self.context(id),
            parent,
            parent_is_remote: false,
            kind,
            name: name.to_owned().into(),
            start: self.at(from),
            end: self.at(to),
            attributes: attributes.iter().map(|(key, value)| KeyValue::new(*key, (*value).to_owned())).collect(),
            links: Vec::new(),
            status: if failed { Status::error("") } else { Status::Unset },
        });
    }

    /// Adds a guest span.
    pub fn guest(
        &self,
        parent: SpanId,
        name: &str,
        (from, to): (f64, f64),
        attributes: &[(&str, &str)],
        event: Option<&str>,
    ) -> SpanId {
        let id = span();
        let span = Span {
            trace_id: self.trace.to_bytes().to_vec(),
            span_id: id.to_bytes().to_vec(),
            parent_span_id: parent.to_bytes().to_vec(),
            name: name.to_owned(),
            kind: 1,
            start_time_unix_nano: nanos(self.at(from)),
            end_time_unix_nano: nanos(self.at(to)),
            attributes: pairs(attributes),
            events: event
                .map(|name| Event {
                    name: name.to_owned(),
                    time_unix_nano: nanos(self.at((from + to) / 2.0)),
                    attributes: pairs(attributes),
                    ..Event::default()
                })
                .into_iter()
                .collect(),
            status: Some(GuestStatus { message: String::new(), code: 0 }),
            ..Span::default()
        };
        let scope = InstrumentationScope { name: "shop".to_owned(), ..InstrumentationScope::default() };
        self.recent.record(Record {
            signal: Signal::Traces,
            resource: &[],
            scope: &scope.encode_to_vec(),
            schema_url: "",
            message: &span.encode_to_vec(),
        });
        id
    }

    fn at(&self, millis: f64) -> SystemTime {
        let distance = Duration::from_secs_f64(millis.abs() / 1e3);
        if millis < 0.0 { self.start - distance } else { self.start + distance }
    }
}

/// A unique ID.
pub fn span() -> SpanId {
    SpanId::from(next().wrapping_mul(0x9e37_79b9_7f4a_7c15))
}

fn next() -> u64 {
    IDS.fetch_add(1, Ordering::Relaxed)
}

fn nanos(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos() as u64)
}

fn pairs(attributes: &[(&str, &str)]) -> Vec<GuestKeyValue> {
    let value = |text: &str| Some(AnyValue { value: Some(Value::StringValue(text.to_owned())) });
    let pair =
        |(key, text): &(&str, &str)| GuestKeyValue { key: (*key).to_owned(), value: value(text), key_strindex: 0 };
    attributes.iter().map(pair).collect()
}
