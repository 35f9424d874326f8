//! Sends each span to the host when it starts and when it ends, so that a trap loses no finished span.

use std::time::{Duration, SystemTime};

use opentelemetry::trace::{Span as _, SpanContext, SpanKind, Status, TraceState};
use opentelemetry::{Context, InstrumentationScope, KeyValue};
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{Span, SpanData, SpanProcessor};

use super::bindings::spans::{self, SpanContextParam};
use super::bindings::{BorrowedDatetime, span_types};
use super::json::JsonTexts;

/// A span processor that reports through `wasi:otel/tracing`.
#[derive(Debug)]
pub(super) struct HostSpanProcessor;

impl SpanProcessor for HostSpanProcessor {
    fn on_start(&self, span: &mut Span, _: &Context) {
        let id = HexIds::of(span.span_context());
        let state = TraceStateHeader::of(span.span_context());
        spans::on_start(context(span.span_context(), &id, &state.pairs()));
    }

    fn on_end(&self, span: SpanData) {
        end(&span);
    }

    fn force_flush(&self) -> OTelSdkResult {
        Ok(())
    }

    fn shutdown_with_timeout(&self, _: Duration) -> OTelSdkResult {
        Ok(())
    }
}

fn end(span: &SpanData) {
    let texts = texts(span);
    let mut texts = texts.iter();
    let attributes = pairs(&span.attributes, &mut texts);
    let event_attributes: Vec<_> = span.events.iter().map(|event| pairs(&event.attributes, &mut texts)).collect();
    let link_attributes: Vec<_> = span.links.iter().map(|link| pairs(&link.attributes, &mut texts)).collect();
    let scope_attributes: Vec<_> = pairs(span.instrumentation_scope.attributes(), &mut texts);
    let linked: Vec<_> = span.links.iter().map(|link| HexIds::of(&link.span_context)).collect();
    let linked_states: Vec<_> = span.links.iter().map(|link| TraceStateHeader::of(&link.span_context)).collect();
    let linked_pairs: Vec<_> = linked_states.iter().map(TraceStateHeader::pairs).collect();
    let events: Vec<_> = (span.events.iter().zip(&event_attributes))
        .map(|(event, attributes)| spans::Event { name: &event.name, time: time(event.timestamp), attributes })
        .collect();
    let links: Vec<_> = (span.links.iter().zip(&linked).zip(&linked_pairs).zip(&link_attributes))
        .map(|(((link, id), state), attributes)| spans::Link {
            span_context: context(&link.span_context, id, state),
            attributes,
        })
        .collect();
    let id = HexIds::of(&span.span_context);
    let state = TraceStateHeader::of(&span.span_context);
    let parent = hex::<16>(&span.parent_span_id.to_bytes());
    spans::on_end(spans::SpanData {
        span_context: context(&span.span_context, &id, &state.pairs()),
        parent_span_id: if span.parent_span_id == opentelemetry::SpanId::INVALID { "" } else { text(&parent) },
        span_kind: kind(&span.span_kind),
        name: &span.name,
        start_time: time(span.start_time),
        end_time: time(span.end_time),
        attributes: &attributes,
        events: &events,
        links: &links,
        status: status(&span.status),
        instrumentation_scope: scope(&span.instrumentation_scope, &scope_attributes),
        dropped_attributes: span.dropped_attributes_count,
        dropped_events: span.events.dropped_count,
        dropped_links: span.links.dropped_count,
    });
}

/// Encodes all attributes as JSON, in the order in which [`end`] takes them.
fn texts(span: &SpanData) -> JsonTexts {
    let mut texts = JsonTexts::with_capacity(span.attributes.len());
    let of_events = span.events.iter().flat_map(|event| &event.attributes);
    let of_links = span.links.iter().flat_map(|link| &link.attributes);
    let all = span.attributes.iter().chain(of_events).chain(of_links).chain(span.instrumentation_scope.attributes());
    all.for_each(|attribute| texts.push(&attribute.value));
    texts
}

fn pairs<'a>(
    attributes: impl IntoIterator<Item = &'a KeyValue>,
    texts: &mut impl Iterator<Item = &'a str>,
) -> Vec<span_types::KeyValue<'a>> {
    let keys = attributes.into_iter().map(|attribute| attribute.key.as_str());
    keys.zip(texts).map(|(key, value)| span_types::KeyValue { key, value }).collect()
}

fn scope<'a>(
    scope: &'a InstrumentationScope,
    attributes: &'a [span_types::KeyValue<'a>],
) -> span_types::InstrumentationScope<'a> {
    span_types::InstrumentationScope {
        name: scope.name(),
        version: scope.version(),
        schema_url: scope.schema_url(),
        attributes,
    }
}

/// The hexadecimal IDs of a span.
struct HexIds {
    trace: [u8; 32],
    span: [u8; 16],
}

impl HexIds {
    fn of(context: &SpanContext) -> Self {
        Self { trace: hex(&context.trace_id().to_bytes()), span: hex(&context.span_id().to_bytes()) }
    }
}

/// A trace state in its header form, the only form that the API exposes.
struct TraceStateHeader(String);

impl TraceStateHeader {
    fn of(context: &SpanContext) -> Self {
        // Most traces have no state, and a second encoding per span is measurable.
        let none = *context.trace_state() == TraceState::NONE;
        Self(if none { String::new() } else { context.trace_state().header() })
    }

    fn pairs(&self) -> Vec<(&str, &str)> {
        if self.0.is_empty() {
            return Vec::new();
        }
        self.0.split(',').filter_map(|member| member.split_once('=')).collect()
    }
}

fn context<'a>(context: &SpanContext, id: &'a HexIds, trace_state: &'a [(&'a str, &'a str)]) -> SpanContextParam<'a> {
    SpanContextParam {
        trace_id: text(&id.trace),
        span_id: text(&id.span),
        trace_flags: match context.is_sampled() {
            true => spans::TraceFlags::SAMPLED,
            false => spans::TraceFlags::empty(),
        },
        is_remote: context.is_remote(),
        trace_state,
    }
}

/// Encodes each byte as two hexadecimal digits.
fn hex<const N: usize>(bytes: &[u8]) -> [u8; N] {
    let digit = |value: u8| if value < 10 { b'0' + value } else { b'a' + value - 10 };
    let mut digits = [b'0'; N];
    for (pair, byte) in digits.chunks_exact_mut(2).zip(bytes) {
        pair.copy_from_slice(&[digit(byte >> 4), digit(byte & 15)]);
    }
    digits
}

fn text(digits: &[u8]) -> &str {
    str::from_utf8(digits).unwrap_or_default()
}

fn kind(kind: &SpanKind) -> spans::SpanKind {
    match kind {
        SpanKind::Client => spans::SpanKind::Client,
        SpanKind::Server => spans::SpanKind::Server,
        SpanKind::Producer => spans::SpanKind::Producer,
        SpanKind::Consumer => spans::SpanKind::Consumer,
        SpanKind::Internal => spans::SpanKind::Internal,
    }
}

fn status(status: &Status) -> spans::Status<'_> {
    match status {
        Status::Unset => spans::Status::Unset,
        Status::Ok => spans::Status::Ok,
        Status::Error { description } => spans::Status::Error(description),
    }
}

fn time(time: SystemTime) -> BorrowedDatetime {
    let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    BorrowedDatetime { seconds: since.as_secs(), nanoseconds: since.subsec_nanos() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_have_all_their_digits() {
        let span = 0x00f0_67aa_0ba9_02b7_u64;
        assert_eq!(text(&hex::<16>(&span.to_be_bytes())), "00f067aa0ba902b7");
        let trace = 0x4bf9_2f35_77b3_4da6_a3ce_929d_0e0e_4736_u128;
        assert_eq!(text(&hex::<32>(&trace.to_be_bytes())), "4bf92f3577b34da6a3ce929d0e0e4736");
    }

    #[test]
    fn a_time_before_the_epoch_is_the_epoch() {
        let before = time(SystemTime::UNIX_EPOCH - Duration::from_secs(1));
        assert_eq!((before.seconds, before.nanoseconds), (0, 0));
        let after = time(SystemTime::UNIX_EPOCH + Duration::new(2, 3));
        assert_eq!((after.seconds, after.nanoseconds), (2, 3));
    }
}
