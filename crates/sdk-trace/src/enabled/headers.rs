//! Trace propagation in outgoing requests and messages: the headers of W3C Trace Context and Baggage.

use std::collections::HashMap;

use opentelemetry::Context;
use opentelemetry::baggage::BaggageExt as _;
use opentelemetry::propagation::TextMapPropagator as _;
use opentelemetry::trace::TraceContextExt as _;
use opentelemetry_sdk::propagation::BaggagePropagator;

/// Returns the headers that propagate the current span, without those that the message already has: `has` receives the
/// name in lower case.
pub fn headers(has: impl Fn(&str) -> bool) -> Vec<(&'static str, String)> {
    Context::map_current(|context| {
        let mut headers = Vec::new();
        let span = context.span();
        let span = span.span_context();
        if span.is_valid() && !has("traceparent") {
            let flags = u8::from(span.is_sampled());
            headers.push(("traceparent", format!("00-{}-{}-{flags:02x}", span.trace_id(), span.span_id())));
            let state = span.trace_state().header();
            if !state.is_empty() && !has("tracestate") {
                headers.push(("tracestate", state));
            }
        }
        if !context.baggage().is_empty() && !has("baggage") {
            let mut written = HashMap::new();
            BaggagePropagator::new().inject_context(context, &mut written);
            headers.extend(written.remove("baggage").map(|baggage| ("baggage", baggage)));
        }
        headers
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use opentelemetry::KeyValue;
    use opentelemetry::trace::{SpanContext, SpanId, TraceFlags, TraceId, TraceState};

    fn sent(sampled: bool, has: &[&str]) -> Vec<(&'static str, String)> {
        let state = TraceState::from_key_value([("a", "1"), ("b", "2")]).unwrap_or_default();
        let flags = TraceFlags::default().with_sampled(sampled);
        let span = SpanContext::new(TraceId::from(1), SpanId::from(2), flags, false, state);
        let context = Context::new().with_remote_span_context(span).with_baggage([KeyValue::new("user", "a b")]);
        let _attached = context.attach();
        headers(|name| has.contains(&name))
    }

    #[test]
    fn the_current_span_is_propagated() {
        let parent = |flags| format!("00-{:032x}-{:016x}-{flags}", 1, 2);
        let rest = [("tracestate", "a=1,b=2".to_owned()), ("baggage", "user=a%20b".to_owned())];
        assert_eq!(sent(true, &[]), [[("traceparent", parent("01"))].as_slice(), &rest].concat());
        assert_eq!(sent(false, &[])[0].1, parent("00"));
    }

    #[test]
    fn existing_headers_are_kept() {
        assert_eq!(sent(true, &["traceparent"]).len(), 1);
        assert_eq!(sent(true, &["traceparent", "baggage"]), []);
        assert_eq!(sent(true, &["tracestate", "baggage"]).len(), 1);
    }

    #[test]
    fn without_a_span_nothing_is_added() {
        assert_eq!(headers(|_| false), []);
    }
}
