//! W3C trace context propagation: the headers `traceparent`, `tracestate` and `baggage`.
//!
//! Received headers are untrusted: they are bounded, and invalid ones are dropped.

use std::str::FromStr as _;
use std::sync::Arc;

use opentelemetry::trace::{SpanContext, TraceFlags, TraceState};
use opentelemetry::{SpanId, TraceId};

/// The header that names the parent span.
pub const TRACEPARENT: &str = "traceparent";
/// The header of vendor-specific trace data.
pub const TRACESTATE: &str = "tracestate";
/// The header of key-value pairs that are propagated through a whole trace.
pub const BAGGAGE: &str = "baggage";
/// All propagation headers.
pub const FIELDS: [&str; 3] = [TRACEPARENT, TRACESTATE, BAGGAGE];

/// Maximum length of `tracestate`, in bytes: the minimum that the specification requires programs to propagate.
const MAX_TRACESTATE_BYTES: usize = 512;
/// Maximum number of `tracestate` members, by the specification.
const MAX_TRACESTATE_MEMBERS: usize = 32;
/// Maximum length of `baggage`, in bytes: the minimum that the specification requires programs to propagate.
const MAX_BAGGAGE_BYTES: usize = 8192;

/// The trace context that a caller sent.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RemoteContext {
    /// The caller's span, if `traceparent` is present and valid.
    pub span: Option<SpanContext>,
    /// The caller's baggage, unparsed.
    pub baggage: Option<Arc<str>>,
}

impl RemoteContext {
    /// Extracts the context from headers. `header` returns the value of a header, or `None` if it is absent or repeated.
    pub fn extract<'a>(header: impl Fn(&str) -> Option<&'a str>) -> Self {
        let span = header(TRACEPARENT).and_then(|text| {
            let (trace, span, flags) = parse(text)?;
            let state = header(TRACESTATE).map_or(TraceState::NONE, state);
            Some(SpanContext::new(trace, span, flags, true, state))
        });
        let baggage = header(BAGGAGE).map(str::trim).filter(|text| valid_baggage(text)).map(Arc::from);
        Self { span, baggage }
    }

    /// Returns whether the caller sent neither a span nor baggage.
    pub fn is_empty(&self) -> bool {
        self.span.is_none() && self.baggage.is_none()
    }
}

/// Returns the `traceparent` of `span`. On the request path, so without `format!`.
pub(super) fn traceparent(span: &SpanContext) -> String {
    let mut text = String::with_capacity(55);
    text.push_str("00-");
    hex(&mut text, &span.trace_id().to_bytes());
    text.push('-');
    hex(&mut text, &span.span_id().to_bytes());
    text.push_str(if span.is_sampled() { "-01" } else { "-00" });
    text
}

fn hex(text: &mut String, bytes: &[u8]) {
    const DIGITS: [char; 16] = ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'a', 'b', 'c', 'd', 'e', 'f'];
    for byte in bytes {
        for digit in [byte >> 4, byte & 0xf] {
            text.extend(DIGITS.get(usize::from(digit)));
        }
    }
}

/// Parses a `traceparent`. Of its flags only `sampled` is kept.
pub(super) fn parse(text: &str) -> Option<(TraceId, SpanId, TraceFlags)> {
    let text = text.trim();
    let mut parts = text.splitn(5, '-');
    let (version, trace, span, flags) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    // Later versions may append fields, version 00 must not, and ff is invalid.
    let known = version == "00" && parts.next().is_none();
    let later = version != "00" && version != "ff" && lower_hex(version, 2);
    if !(known || later) || !lower_hex(trace, 32) || !lower_hex(span, 16) || !lower_hex(flags, 2) {
        return None;
    }
    let flags = TraceFlags::new(u8::from_str_radix(flags, 16).ok()?) & TraceFlags::SAMPLED;
    let (trace, span) = (TraceId::from_hex(trace).ok()?, SpanId::from_hex(span).ok()?);
    (trace != TraceId::INVALID && span != SpanId::INVALID).then_some((trace, span, flags))
}

fn lower_hex(text: &str, length: usize) -> bool {
    text.len() == length && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

fn state(text: &str) -> TraceState {
    if text.len() > MAX_TRACESTATE_BYTES || text.split(',').count() > MAX_TRACESTATE_MEMBERS {
        return TraceState::NONE;
    }
    TraceState::from_str(text).unwrap_or(TraceState::NONE)
}

fn valid_baggage(text: &str) -> bool {
    !text.is_empty() && text.len() <= MAX_BAGGAGE_BYTES && text.bytes().all(|byte| matches!(byte, b' '..=b'~' | b'\t'))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    fn read(fields: &[(&str, &str)]) -> RemoteContext {
        let fields: Vec<(String, String)> = fields.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
        RemoteContext::extract(|name| fields.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str()))
    }

    #[test]
    fn a_traceparent_round_trips() {
        let span = read(&[(TRACEPARENT, PARENT)]).span.unwrap();
        assert!(span.is_sampled() && span.is_remote());
        assert_eq!(traceparent(&span), PARENT);
    }

    #[test]
    fn an_invalid_traceparent_is_ignored() {
        for bad in [
            "",
            "00",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-x",
            "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "00-00000000000000000000000000000000-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
            "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b716920333é-01",
        ] {
            assert!(read(&[(TRACEPARENT, bad)]).is_empty(), "{bad}");
        }
        let later = "cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-09-what-comes-later";
        assert_eq!(traceparent(&read(&[(TRACEPARENT, later)]).span.unwrap()), PARENT);
    }

    #[test]
    fn state_and_baggage_at_their_edges() {
        let state =
            |text: &str| read(&[(TRACEPARENT, PARENT), (TRACESTATE, text)]).span.unwrap().trace_state().header();
        assert_eq!(state("a=1,b@c=2"), "a=1,b@c=2");
        assert_eq!(state("no state"), "");
        let members = |n: usize| (0..n).map(|n| format!("k{n}=v")).collect::<Vec<_>>().join(",");
        assert_eq!(state(&members(32)), members(32));
        assert_eq!(state(&members(33)), "");
        let longest = format!("k={}", "v".repeat(MAX_TRACESTATE_BYTES - 2));
        assert_eq!(state(&format!("{longest}v")), "");
        let baggage = |text: &str| read(&[(BAGGAGE, text)]).baggage;
        assert_eq!(baggage("user=1;p=2,x=%20").as_deref(), Some("user=1;p=2,x=%20"));
        assert_eq!(baggage(""), None);
        assert_eq!(baggage("a=\u{1}"), None);
        assert!(baggage(&"x".repeat(MAX_BAGGAGE_BYTES)).is_some());
        assert_eq!(baggage(&"x".repeat(MAX_BAGGAGE_BYTES + 1)), None);
    }
}
