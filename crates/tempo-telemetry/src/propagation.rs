//! The W3C headers that carry a trace from one program to the next: `traceparent`, `tracestate`, `baggage`.
//!
//! What comes in is another's: it is bounded, and what is not valid is left out rather than passed on.

use std::str::FromStr as _;
use std::sync::Arc;

use opentelemetry::trace::{SpanContext, TraceFlags, TraceState};
use opentelemetry::{SpanId, TraceId};

/// The header that names a span as the parent of another.
pub const TRACEPARENT: &str = "traceparent";
/// The header in which tracing systems keep what only they understand.
pub const TRACESTATE: &str = "tracestate";
/// The header of values that belong to a whole trace.
pub const BAGGAGE: &str = "baggage";
/// All of them.
pub const FIELDS: [&str; 3] = [TRACEPARENT, TRACESTATE, BAGGAGE];

/// What the specification asks a program to carry at least.
const MAX_TRACESTATE: usize = 512;
const MAX_MEMBERS: usize = 32;
const MAX_BAGGAGE: usize = 8192;

/// What a caller said of the trace that its call belongs to.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Remote {
    /// The caller's span, if it named one.
    pub span: Option<SpanContext>,
    /// The caller's baggage, as it came.
    pub baggage: Option<Arc<str>>,
}

impl Remote {
    /// Reads the headers, each of which `header` gives the value of. A header that comes more than once has none.
    pub fn extract<'a>(header: impl Fn(&str) -> Option<&'a str>) -> Self {
        let span = header(TRACEPARENT).and_then(|text| {
            let (trace, span, flags) = parse(text)?;
            let state = header(TRACESTATE).map_or(TraceState::NONE, state);
            Some(SpanContext::new(trace, span, flags, true, state))
        });
        let baggage = header(BAGGAGE).map(str::trim).filter(|text| fits(text)).map(Arc::from);
        Self { span, baggage }
    }

    /// Whether the caller said nothing.
    pub fn is_empty(&self) -> bool {
        self.span.is_none() && self.baggage.is_none()
    }
}

/// The value of `traceparent` that names `span`. Written for each request and message, so without `format!`.
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

/// The span that the value of a `traceparent` names. Only that a span is sampled is taken over from the flags.
pub(super) fn parse(text: &str) -> Option<(TraceId, SpanId, TraceFlags)> {
    let text = text.trim();
    let mut parts = text.splitn(5, '-');
    let (version, trace, span, flags) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    // Later versions may say more; this one may not, and `ff` is none.
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
    if text.len() > MAX_TRACESTATE || text.split(',').count() > MAX_MEMBERS {
        return TraceState::NONE;
    }
    TraceState::from_str(text).unwrap_or(TraceState::NONE)
}

fn fits(text: &str) -> bool {
    !text.is_empty() && text.len() <= MAX_BAGGAGE && text.bytes().all(|byte| matches!(byte, b' '..=b'~' | b'\t'))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    fn read(fields: &[(&str, &str)]) -> Remote {
        let fields: Vec<(String, String)> = fields.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
        Remote::extract(|name| fields.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str()))
    }

    #[test]
    fn what_is_written_is_read() {
        let span = read(&[(TRACEPARENT, PARENT)]).span.unwrap();
        assert!(span.is_sampled() && span.is_remote());
        assert_eq!(traceparent(&span), PARENT);
    }

    #[test]
    fn what_is_not_valid_is_nothing() {
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
        let longest = format!("k={}", "v".repeat(MAX_TRACESTATE - 2));
        assert_eq!(state(&format!("{longest}v")), "");
        let baggage = |text: &str| read(&[(BAGGAGE, text)]).baggage;
        assert_eq!(baggage("user=1;p=2,x=%20").as_deref(), Some("user=1;p=2,x=%20"));
        assert_eq!(baggage(""), None);
        assert_eq!(baggage("a=\u{1}"), None);
        assert!(baggage(&"x".repeat(MAX_BAGGAGE)).is_some());
        assert_eq!(baggage(&"x".repeat(MAX_BAGGAGE + 1)), None);
    }
}
