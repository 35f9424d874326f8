//! The host's span of the current call.

use opentelemetry::Context;
use opentelemetry::trace::{SpanContext, SpanId, TraceContextExt as _, TraceFlags, TraceId, TraceState};

use super::bindings::spans::{self, SpanContextResult};

/// Marks the context of a call without a host span: its spans are not recorded.
pub(super) struct Untraced;

/// Requests the host's span, and returns a context with it as the remote parent.
pub(super) fn outer() -> Context {
    match parse(spans::outer_span_context()) {
        Some(span) => Context::new().with_remote_span_context(span),
        None => Context::new().with_value(Untraced),
    }
}

/// Returns true if spans that start in `context` are not recorded, so that callers may skip creating them.
pub(super) fn is_unsampled(context: &Context) -> bool {
    if context.has_active_span() {
        return !context.span().span_context().is_sampled();
    }
    context.get::<Untraced>().is_some()
}

/// Returns true if `context` belongs to no call: its spans would begin a new trace.
pub(super) fn is_outside_call(context: &Context) -> bool {
    !context.has_active_span() && context.get::<Untraced>().is_none()
}

fn parse(outer: SpanContextResult) -> Option<SpanContext> {
    let trace_id = hex(&outer.trace_id, 32).and_then(|text| TraceId::from_hex(text).ok())?;
    let span_id = hex(&outer.span_id, 16).and_then(|text| SpanId::from_hex(text).ok())?;
    let flags = TraceFlags::default().with_sampled(outer.trace_flags.contains(spans::TraceFlags::SAMPLED));
    // An invalid trace state is empty, as the interface defines.
    let state = match outer.trace_state {
        pairs if pairs.is_empty() => TraceState::NONE,
        pairs => TraceState::from_key_value(pairs).unwrap_or_default(),
    };
    Some(SpanContext::new(trace_id, span_id, flags, true, state)).filter(SpanContext::is_valid)
}

/// Returns `text` if it is `length` hexadecimal digits. The parsers accept shorter texts and signs too.
fn hex(text: &str, length: usize) -> Option<&str> {
    (text.len() == length && text.bytes().all(|byte| byte.is_ascii_hexdigit())).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outer(trace_id: &str, span_id: &str, state: &[(&str, &str)]) -> Option<SpanContext> {
        parse(SpanContextResult {
            trace_id: trace_id.to_owned(),
            span_id: span_id.to_owned(),
            trace_flags: spans::TraceFlags::SAMPLED,
            is_remote: false,
            trace_state: state.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect(),
        })
    }

    const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
    const SPAN: &str = "b7ad6b7169203331";

    #[test]
    fn the_span_of_the_host_is_read() {
        let span = outer(TRACE, SPAN, &[("a", "1"), ("b", "2")]).unwrap_or(SpanContext::NONE);
        assert_eq!((span.trace_id().to_string(), span.span_id().to_string()), (TRACE.to_owned(), SPAN.to_owned()));
        assert!(span.is_sampled());
        assert_eq!(span.trace_state().header(), "a=1,b=2");
    }

    #[test]
    fn a_host_without_a_trace_has_no_span() {
        for (trace, span) in [("", ""), (&"0".repeat(32), SPAN), (TRACE, &"0".repeat(16)), (&TRACE[1..], SPAN)] {
            assert!(outer(trace, span, &[]).is_none(), "{trace} {span}");
        }
        assert!(outer(&format!("+{}", &TRACE[1..]), SPAN, &[]).is_none());
        assert!(outer(TRACE, &format!("g{}", &SPAN[1..]), &[]).is_none());
    }

    #[test]
    fn a_wrong_trace_state_is_empty() {
        assert_eq!(outer(TRACE, SPAN, &[("a\n", "1")]).map(|span| span.trace_state().header()), Some(String::new()));
    }
}
