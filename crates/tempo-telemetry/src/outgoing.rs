//! What a guest asks of others, a request or a message: the span of it, and the headers that hand the trace on.

use std::borrow::Cow;

use opentelemetry::trace::{SpanContext, SpanKind};

use super::context::CallContext;
use super::propagation::{BAGGAGE, Remote};
use super::span::Span;
use crate::sink::Telemetry;

/// A request or a message on its way out of a guest.
#[derive(Debug)]
pub struct Outgoing {
    /// The span of it; none if nobody listens.
    pub span: Option<Span>,
    /// What to set among its headers.
    pub headers: Vec<(&'static str, String)>,
}

impl Telemetry {
    /// Begins what a guest asks of others during the call of `context`, given what it `said` itself of the trace.
    ///
    /// A guest that names a span of its call's trace has it for the parent; one that only hands on what it was handed, or
    /// says nothing, has the span that it opened last. Headers that name another trace are left as they are.
    pub fn outgoing(
        &self,
        kind: SpanKind,
        context: &CallContext,
        said: &Remote,
        name: impl FnOnce() -> Cow<'static, str>,
    ) -> Outgoing {
        let outer = context.outer();
        let foreign = said.span.as_ref().filter(|said| outer.is_valid() && said.trace_id() != outer.trace_id());
        let parent = match &said.span {
            Some(said) if foreign.is_none() && said.span_id() != outer.span_id() => local(said),
            _ => context.innermost(),
        };
        let mut span = self.start(kind, Some(&parent).filter(|parent| parent.is_valid()), name);
        let mut headers = Vec::new();
        if let Some(foreign) = foreign {
            if let Some(data) = span.as_mut().and_then(Span::data) {
                data.links.push(foreign.clone());
            }
        } else {
            let named = span.as_ref().map_or(&parent, Span::context);
            context.inject(named, |name, value| {
                if name != BAGGAGE || said.baggage.is_none() {
                    headers.push((name, value.to_owned()));
                }
            });
        }
        Outgoing { span, headers }
    }
}

/// A span that the guest named in a header is one of this program.
fn local(span: &SpanContext) -> SpanContext {
    SpanContext::new(span.trace_id(), span.span_id(), span.trace_flags(), false, span.trace_state().clone())
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use opentelemetry::trace::{TraceFlags, TraceState};
    use opentelemetry::{SpanId, TraceId};

    use super::super::{Record, Sampler, Signal, Sink, SpanData, TelemetryBuilder};
    use super::*;

    #[derive(Default)]
    struct Told(Mutex<Vec<SpanData>>);

    impl Sink for Told {
        fn wants(&self, _: Signal) -> bool {
            true
        }
        fn span(&self, span: SpanData) {
            self.0.lock().unwrap().push(span);
        }
        fn record(&self, _: Record<'_>) {}
        fn reserves(&self, _: &str) -> bool {
            false
        }
    }

    fn span(trace: u128, id: u64) -> SpanContext {
        SpanContext::new(TraceId::from(trace), SpanId::from(id), TraceFlags::SAMPLED, true, TraceState::NONE)
    }

    /// What becomes of a request whose guest said `said`: its parent, its links, and its headers.
    fn sent(said: &Remote) -> (u64, usize, Vec<(&'static str, String)>, SpanContext) {
        let told = Arc::new(Told::default());
        let builder = TelemetryBuilder { sink: told.clone(), sampler: Sampler::AlwaysOn, metrics: None };
        let context = CallContext::new(span(1, 1), Some("a=b".into()));
        context.opened(span(1, 2));
        let outgoing = Telemetry::from(builder).outgoing(SpanKind::Client, &context, said, || "GET".into());
        let own = outgoing.span.as_ref().unwrap().context().clone();
        let headers = outgoing.headers;
        drop(outgoing.span);
        let data = told.0.lock().unwrap().pop().unwrap();
        (u64::from_be_bytes(data.parent.to_bytes()), data.links.len(), headers, own)
    }

    #[test]
    fn the_parent_is_what_the_guest_named_or_opened_last() {
        for (named, parent) in [(None, 2), (Some(span(1, 1)), 2), (Some(span(1, 7)), 7)] {
            let (found, links, headers, own) = sent(&Remote { span: named, baggage: None });
            assert_eq!((found, links), (parent, 0));
            let traceparent = format!("00-{}-{}-01", TraceId::from(1), own.span_id());
            assert_eq!(headers, [("traceparent", traceparent), ("baggage", "a=b".to_owned())]);
        }
    }

    #[test]
    fn what_names_another_trace_is_left_alone() {
        let (parent, links, headers, _) = sent(&Remote { span: Some(span(9, 9)), baggage: None });
        assert_eq!((parent, links, headers), (2, 1, Vec::new()));
    }

    #[test]
    fn a_guest_that_has_baggage_of_its_own_keeps_it() {
        let (_, _, headers, _) = sent(&Remote { span: None, baggage: Some("c=d".into()) });
        assert!(headers.iter().all(|(name, _)| *name != BAGGAGE), "{headers:?}");
    }

    #[test]
    fn a_trace_is_handed_on_where_nobody_listens() {
        let context = CallContext::new(span(1, 1), None);
        let outgoing = Telemetry::off().outgoing(SpanKind::Client, &context, &Remote::default(), || "GET".into());
        assert!(outgoing.span.is_none());
        assert_eq!(outgoing.headers, [("traceparent", format!("00-{}-{}-01", TraceId::from(1), SpanId::from(1)))]);
    }
}
