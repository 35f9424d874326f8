//! The span of the host that this call runs in.

use opentelemetry::Context;
use opentelemetry::trace::{SpanContext, SpanId, TraceContextExt as _, TraceFlags, TraceId, TraceState};

use super::bindings::spans::{self, SpanContextResult};

/// Is in the context of a call when its host has no trace: nothing is recorded then.
pub(super) struct Untraced;

/// Asks the host for its span, and makes it the parent of what the context is given to.
pub(super) fn outer() -> Context {
    match parse(spans::outer_span_context()) {
        Some(span) => Context::new().with_remote_span_context(span),
        None => Context::new().with_value(Untraced),
    }
}

/// Whether no span that is started in `context` is recorded, so that it need not be made at all.
pub(super) fn is_silent(context: &Context) -> bool {
    if context.has_active_span() {
        return !context.span().span_context().is_sampled();
    }
    context.get::<Untraced>().is_some()
}

/// Whether `context` belongs to no call: its spans would begin a trace of their own.
pub(super) fn is_nowhere(context: &Context) -> bool {
    !context.has_active_span() && context.get::<Untraced>().is_none()
}

fn parse(outer: SpanContextResult) -> Option<SpanContext> {
    let trace_id = hex(&outer.trace_id, 32).and_then(|text| TraceId::from_hex(text).ok())?;
    let span_id = hex(&outer.span_id, 16).and_then(|text| SpanId::from_hex(text).ok())?;
    let flags = TraceFlags::default().with_sampled(outer.trace_flags.contains(spans::TraceFlags::SAMPLED));
    // What is invalid is taken for empty, as the interface says.
    let state = match outer.trace_state {
        pairs if pairs.is_empty() => TraceState::NONE,
        pairs => TraceState::from_key_value(pairs).unwrap_or_default(),
    };
    Some(SpanContext::new(trace_id, span_id, flags, true, state)).filter(SpanContext::is_valid)
}

/// `text` when it is `length` hexadecimal digits; the parsers take less and signs as well.
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
