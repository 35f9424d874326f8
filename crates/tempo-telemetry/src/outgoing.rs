//! Client and producer spans of the requests and messages that a guest sends, and their propagation headers.

use std::borrow::Cow;

use opentelemetry::trace::{SpanContext, SpanKind};

use crate::context::CallContext;
use crate::propagation::{BAGGAGE, RemoteContext};
use crate::span::Span;
use crate::telemetry::Telemetry;

/// The telemetry of a request or message that a guest sends.
#[derive(Debug)]
#[non_exhaustive]
pub struct Outgoing {
    /// Its span; `None` if traces are disabled.
    pub span: Option<Span>,
    /// The propagation headers to set on it.
    pub headers: Vec<(&'static str, String)>,
}

impl Telemetry {
    /// Begins the span of a request or message that a guest sends during the call of `context`. `guest` is the trace
    /// context that the guest set on it.
    ///
    /// If `guest` names a span of the call's trace, that span is the parent. If `guest` names the span around the call or
    /// no span, the parent is the innermost open span. Headers that name another trace are left unchanged.
    pub fn outgoing(
        &self,
        kind: SpanKind,
        context: &CallContext,
        guest: &RemoteContext,
        name: impl FnOnce() -> Cow<'static, str>,
    ) -> Outgoing {
        let outer = context.outer();
        let foreign = guest.span.as_ref().filter(|span| outer.is_valid() && span.trace_id() != outer.trace_id());
        let parent = match &guest.span {
            Some(span) if foreign.is_none() && span.span_id() != outer.span_id() => local(span),
            _ => context.innermost(),
        };
        let mut span = self.start(kind, Some(&parent).filter(|parent| parent.is_valid()), name);
        let mut headers = Vec::new();
        if let Some(foreign) = foreign {
            if let Some(span) = &mut span {
                span.link(foreign.clone());
            }
        } else {
            let named = span.as_ref().map_or(&parent, Span::context);
            context.inject(named, |name, value| {
                if name != BAGGAGE || guest.baggage.is_none() {
                    headers.push((name, value.to_owned()));
                }
            });
        }
        Outgoing { span, headers }
    }
}

/// Returns `span` without the remote flag: a span of the call's trace that the guest names belongs to this process.
fn local(span: &SpanContext) -> SpanContext {
    SpanContext::new(span.trace_id(), span.span_id(), span.trace_flags(), false, span.trace_state().clone())
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use opentelemetry::trace::{TraceFlags, TraceState};
    use opentelemetry::{SpanId, TraceId};

    use opentelemetry_proto::tonic::trace::v1;

    use super::*;
    use crate::{Origin, Record, Signal, Sink};

    #[derive(Default)]
    struct RecordingSink(Mutex<Vec<v1::Span>>);

    impl Sink for RecordingSink {
        fn enabled(&self, _: Signal) -> bool {
            true
        }

        fn record(&self, _: Origin<'_>, record: Record<'_>) {
            if let Record::Span(span) = record {
                self.0.lock().unwrap().push(span.clone());
            }
        }
    }

    fn span(trace: u128, id: u64) -> SpanContext {
        SpanContext::new(TraceId::from(trace), SpanId::from(id), TraceFlags::SAMPLED, true, TraceState::NONE)
    }

    /// Sends a request with the context `guest`; returns the span's parent, its number of links, the headers and the span.
    fn send(guest: &RemoteContext) -> (u64, usize, Vec<(&'static str, String)>, SpanContext) {
        let sink = Arc::new(RecordingSink::default());
        let telemetry = Telemetry::builder(sink.clone()).build();
        let context = CallContext::new(span(1, 1), Some("a=b".into()));
        context.opened(span(1, 2));
        let outgoing = telemetry.outgoing(SpanKind::Client, &context, guest, || "GET".into());
        let own = outgoing.span.as_ref().unwrap().context().clone();
        let headers = outgoing.headers;
        drop(outgoing.span);
        let data = sink.0.lock().unwrap().pop().unwrap();
        let parent = data.parent_span_id.as_slice().try_into().unwrap();
        (u64::from_be_bytes(parent), data.links.len(), headers, own)
    }

    #[test]
    fn the_parent_is_the_span_that_the_guest_named_or_opened_last() {
        for (named, parent) in [(None, 2), (Some(span(1, 1)), 2), (Some(span(1, 7)), 7)] {
            let (found, links, headers, own) = send(&RemoteContext { span: named, baggage: None });
            assert_eq!((found, links), (parent, 0));
            let traceparent = format!("00-{}-{}-01", TraceId::from(1), own.span_id());
            assert_eq!(headers, [("traceparent", traceparent), ("baggage", "a=b".to_owned())]);
        }
    }

    #[test]
    fn headers_of_another_trace_are_left_unchanged() {
        let (parent, links, headers, _) = send(&RemoteContext { span: Some(span(9, 9)), baggage: None });
        assert_eq!((parent, links, headers), (2, 1, Vec::new()));
    }

    #[test]
    fn baggage_of_the_guest_is_kept() {
        let (_, _, headers, _) = send(&RemoteContext { span: None, baggage: Some("c=d".into()) });
        assert!(headers.iter().all(|(name, _)| *name != BAGGAGE), "{headers:?}");
    }

    #[test]
    fn the_trace_is_propagated_without_a_sink() {
        let context = CallContext::new(span(1, 1), None);
        let outgoing =
            Telemetry::off().outgoing(SpanKind::Client, &context, &RemoteContext::default(), || "GET".into());
        assert!(outgoing.span.is_none());
        assert_eq!(outgoing.headers, [("traceparent", format!("00-{}-{}-01", TraceId::from(1), SpanId::from(1)))]);
    }
}
