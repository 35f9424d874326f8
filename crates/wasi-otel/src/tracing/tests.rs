//! Spans at their limits, hostile spans, and sampling.

use std::sync::Arc;

use opentelemetry::trace::{TraceFlags, TraceState};
use opentelemetry::{SpanId, TraceId};
use prost::Message as _;
use tempo_core::Limits;
use tempo_telemetry::within;

use super::wit::Host as _;
use super::*;
use crate::OtelCtx;
use crate::bindings::wasi::clocks::wall_clock::Datetime;
use crate::conformance::{Arrived, Recorder};
use crate::limits::{Budgets, RateLimiter};

fn state() -> (OtelCtx, Arc<Recorder>) {
    let recorder = Arc::new(Recorder::default());
    (OtelCtx::new(recorder.clone(), &Limits::default()), recorder)
}

fn span(trace: u128, id: u64) -> wit::SpanData {
    let time = |seconds| Datetime { seconds, nanoseconds: 0 };
    let trace_flags = wit::TraceFlags::SAMPLED;
    wit::SpanData {
        span_context: wit::SpanContext {
            trace_id: format!("{trace:032x}"),
            span_id: format!("{id:016x}"),
            trace_flags,
            is_remote: false,
            trace_state: Vec::new(),
        },
        parent_span_id: String::new(),
        span_kind: wit::SpanKind::Internal,
        name: "span".to_owned(),
        start_time: time(1),
        end_time: time(2),
        attributes: Vec::new(),
        events: Vec::new(),
        links: Vec::new(),
        status: wit::Status::Unset,
        instrumentation_scope: no_scope(),
        dropped_attributes: 0,
        dropped_events: 0,
        dropped_links: 0,
    }
}

fn record_one(given: wit::SpanData) -> Span {
    let (state, recorder) = state();
    state.view().on_end(given);
    let Arrived { mut spans, dropped, .. } = recorder.take();
    assert_eq!((spans.len(), dropped), (1, vec![]));
    spans.remove(0).message
}

fn attributes(count: usize, value: &str) -> Vec<wit::KeyValue> {
    (0..count).map(|n| wit::KeyValue { key: format!("k{n}"), value: value.to_owned() }).collect()
}

fn host(trace: u128, sampled: bool, remote: bool) -> Arc<CallContext> {
    let flags = TraceFlags::default().with_sampled(sampled);
    CallContext::new(SpanContext::new(TraceId::from(trace), SpanId::from(9), flags, remote, TraceState::NONE), None)
}

#[test]
fn counts_at_the_edge() {
    for (given, kept, dropped) in [(127, 127, 0), (128, 128, 0), (129, 128, 1)] {
        let event =
            wit::Event { name: "e".to_owned(), time: span(1, 1).start_time, attributes: attributes(given, "1") };
        let link = wit::Link { span_context: span(2, 2).span_context, attributes: attributes(given, "1") };
        let few = wit::Event { attributes: Vec::new(), ..event.clone() };
        let unlinked = wit::Link { attributes: Vec::new(), ..link.clone() };
        let recorded = record_one(wit::SpanData {
            attributes: attributes(given, "1"),
            events: [vec![event], vec![few; given - 1]].concat(),
            links: [vec![link], vec![unlinked; given - 1]].concat(),
            dropped_attributes: 1,
            dropped_events: 2,
            dropped_links: u32::MAX,
            ..span(1, 1)
        });
        assert_eq!((recorded.attributes.len(), recorded.dropped_attributes_count), (kept, dropped + 1));
        assert_eq!((recorded.events.len(), recorded.dropped_events_count), (kept, dropped + 2));
        assert_eq!((recorded.links.len(), recorded.dropped_links_count), (kept, u32::MAX));
        assert_eq!((recorded.events[0].attributes.len(), recorded.events[0].dropped_attributes_count), (kept, dropped));
        assert_eq!((recorded.links[0].attributes.len(), recorded.links[0].dropped_attributes_count), (kept, dropped));
    }
}

#[test]
fn texts_at_the_edge() {
    for more in [-1, 0, 1] {
        let text = |max: usize| "t".repeat(max.checked_add_signed(more).unwrap());
        let event = wit::Event { name: text(MAX_NAME), time: span(1, 1).start_time, attributes: Vec::new() };
        let recorded = record_one(wit::SpanData {
            name: text(MAX_NAME),
            status: wit::Status::Error(text(MAX_VALUE)),
            events: vec![event],
            ..span(1, 1)
        });
        let expected = |max: usize| max.checked_add_signed(more.min(0)).unwrap();
        assert_eq!([recorded.name.len(), recorded.events[0].name.len()], [expected(MAX_NAME); 2]);
        assert_eq!(recorded.status.unwrap().message.len(), expected(MAX_VALUE));
    }
}

#[test]
fn the_largest_span_is_within_its_limit_and_says_what_is_missing() {
    let value = format!("\"{}\"", "v".repeat(MAX_VALUE));
    let event =
        |_| wit::Event { name: "e".repeat(999), time: span(1, 1).start_time, attributes: attributes(3, &value) };
    let mut context = span(3, 3).span_context;
    context.trace_state = vec![("k".repeat(256), "v".repeat(255))];
    let link = |_| wit::Link { span_context: context.clone(), attributes: attributes(3, &value) };
    for (own, events, links) in [(999, 0, 0), (0, 999, 0), (0, 0, 999), (9, 9, 9), (99, 99, 99)] {
        let recorded = record_one(wit::SpanData {
            name: "n".repeat(9999),
            span_context: wit::SpanContext { trace_id: "1".to_owned(), ..context.clone() },
            status: wit::Status::Error("s".repeat(9999)),
            attributes: attributes(own, &value),
            events: (0..events).map(event).collect(),
            links: (0..links).map(link).collect(),
            ..span(1, 1)
        });
        assert!((MAX_MESSAGE / 2..=MAX_MESSAGE).contains(&recorded.encoded_len()), "{}", recorded.encoded_len());
        assert_eq!(recorded.attributes.len() + recorded.dropped_attributes_count as usize, own);
        assert_eq!(recorded.events.len() + recorded.dropped_events_count as usize, events);
        assert_eq!(recorded.links.len() + recorded.dropped_links_count as usize, links);
        assert!(
            recorded.events.iter().all(|event| event.attributes.len() + event.dropped_attributes_count as usize == 3)
        );
        assert!(recorded.links.iter().all(|link| link.attributes.len() + link.dropped_attributes_count as usize == 3));
    }
}

#[test]
fn a_span_with_a_bad_id_is_dropped_and_counted() {
    let bad = |change: fn(&mut wit::SpanData)| {
        let (state, recorder) = state();
        let mut span = span(1, 1);
        change(&mut span);
        state.view().on_start(span.span_context.clone());
        state.view().on_end(span);
        let Arrived { spans, dropped, .. } = recorder.take();
        assert_eq!((spans.len(), dropped), (0, vec![(Signal::Traces, Dropped::Invalid, 1)]));
    };
    bad(|span| span.span_context.trace_id = "0".repeat(32));
    bad(|span| span.span_context.trace_id = "x".to_owned());
    bad(|span| span.span_context.span_id.clear());
    bad(|span| span.span_context.span_id = "1".repeat(1 << 20));
    bad(|span| span.parent_span_id = "parent".to_owned());
    let link = wit::Link { span_context: span(0, 1).span_context, attributes: Vec::new() };
    let recorded = record_one(wit::SpanData { links: vec![link], ..span(1, 1) });
    assert_eq!((recorded.links.len(), recorded.dropped_links_count), (0, 1));
}

#[test]
fn times_that_cannot_be_are_mended() {
    let end = |seconds, nanoseconds| {
        let end_time = Datetime { seconds, nanoseconds };
        record_one(wit::SpanData { end_time, ..span(1, 1) }).end_time_unix_nano
    };
    assert_eq!(end(0, 0), 1_000_000_000);
    assert_eq!(end(1, 1), 1_000_000_001);
    assert_eq!(end(u64::MAX, u32::MAX), i64::MAX as u64);
}

#[test]
fn both_the_guest_and_who_decides_on_the_trace_must_have_sampled() {
    struct Never(Arc<Recorder>);
    impl crate::Collector for Never {
        fn samples(&self, _: &SpanContext) -> bool {
            false
        }
        fn span(&self, origin: Origin<'_>, span: Span) {
            self.0.span(origin, span);
        }
        fn metric(&self, _: Origin<'_>, _: opentelemetry_proto::tonic::metrics::v1::Metric) {}
        fn log(&self, _: Origin<'_>, _: opentelemetry_proto::tonic::logs::v1::LogRecord) {}
    }
    let recorder = Arc::new(Recorder::default());
    let always = OtelCtx::new(recorder.clone(), &Limits::default());
    let never = OtelCtx::new(Arc::new(Never(recorder.clone())), &Limits::default());
    let unsampled = || wit::SpanContext { trace_flags: wit::TraceFlags::empty(), ..span(1, 1).span_context };
    let recorded = |state: &OtelCtx, call: &Arc<CallContext>, guest_sampled: bool| {
        let span_context = if guest_sampled { span(1, 1).span_context } else { unsampled() };
        within(Some(call), || state.view().on_end(wit::SpanData { span_context, ..span(1, 1) }));
        let Arrived { spans, dropped, .. } = recorder.take();
        assert_eq!(dropped, []);
        spans.len() == 1
    };
    let (same, not, other) = (host(1, true, false), host(1, false, false), host(2, true, false));
    assert!(recorded(&always, &same, true) && recorded(&never, &same, true));
    assert!(!recorded(&always, &not, true) && !recorded(&always, &same, false));
    assert!(recorded(&always, &other, true) && !recorded(&never, &other, true) && !recorded(&always, &other, false));
}

#[test]
fn whether_the_parent_is_remote_is_said_where_it_is_known() {
    let flags = |call: &Arc<CallContext>, parent: &str| {
        let (state, recorder) = state();
        let span = wit::SpanData { parent_span_id: parent.to_owned(), ..span(1, 1) };
        within(Some(call), || state.view().on_end(span));
        recorder.take().spans[0].message.flags
    };
    assert_eq!(flags(&host(1, true, false), "9"), 0x101);
    assert_eq!(flags(&host(1, true, true), "9"), 0x301);
    for other in ["", "8"] {
        assert_eq!(flags(&host(1, true, true), other), 1);
    }
    assert_eq!(flags(&host(2, true, true), "9"), 1);
}

#[test]
fn without_a_call_the_outer_span_is_none() {
    let (state, _) = state();
    for none in [state.view().outer_span_context(), state.view().current_span_context()] {
        assert_eq!((none.trace_id, none.span_id), ("0".repeat(32), "0".repeat(16)));
        assert!(none.trace_flags == wit::TraceFlags::empty() && none.trace_state.is_empty() && !none.is_remote);
    }
}

#[test]
fn the_state_of_the_trace_comes_in_and_goes_out() {
    let members = vec![("b".to_owned(), "2".to_owned()), ("a@v".to_owned(), "1".to_owned())];
    let trace_state = TraceState::from_key_value(members.clone()).unwrap();
    let outer = SpanContext::new(TraceId::from(1), SpanId::from(9), TraceFlags::SAMPLED, true, trace_state);
    let (state, _) = state();
    let recorded = within(Some(&CallContext::new(outer, None)), || state.view().outer_span_context());
    assert_eq!(recorded.trace_state, members);
    assert!(recorded.is_remote && recorded.trace_flags == wit::TraceFlags::SAMPLED);
    assert_eq!(record_one(wit::SpanData { span_context: recorded, ..span(1, 1) }).trace_state, "b=2,a@v=1");
}

#[test]
fn spans_of_a_call_at_the_edge() {
    let (state, recorder) = state();
    let call = host(1, true, false);
    for more in [MAX_CALL_SPANS - 1, 1, 1] {
        within(Some(&call), || (0..more).for_each(|_| state.view().on_end(span(1, 1))));
    }
    let Arrived { spans, dropped, .. } = recorder.take();
    assert_eq!((spans.len(), dropped), (MAX_CALL_SPANS, vec![(Signal::Traces, Dropped::Count, 1)]));
    // The next call begins anew.
    within(Some(&host(1, true, false)), || state.view().on_end(span(1, 1)));
    assert_eq!(recorder.take().spans.len(), 1);
}

#[test]
fn the_rate_at_its_edge() {
    let recorder = Arc::new(Recorder::default());
    let budgets = Budgets { spans: RateLimiter::new((0.0, 2.0)), ..Budgets::new(&Limits::default()) };
    let state = OtelCtx { collector: recorder.clone(), budgets: Arc::new(budgets) };
    (0..3).for_each(|_| state.view().on_end(span(1, 1)));
    let Arrived { spans, dropped, .. } = recorder.take();
    assert_eq!((spans.len(), dropped), (2, vec![(Signal::Traces, Dropped::Rate, 1)]));
}

#[test]
fn nothing_is_done_for_a_collector_that_wants_nothing() {
    struct Disabled;
    impl crate::Collector for Disabled {
        fn enabled(&self, _: Signal) -> bool {
            false
        }
        fn span(&self, _: Origin<'_>, _: Span) {
            panic!("it wants none");
        }
        fn metric(&self, _: Origin<'_>, _: opentelemetry_proto::tonic::metrics::v1::Metric) {}
        fn log(&self, _: Origin<'_>, _: opentelemetry_proto::tonic::logs::v1::LogRecord) {}
    }
    let state = OtelCtx::new(Arc::new(Disabled), &Limits::default());
    let call = host(1, true, true);
    within(Some(&call), || {
        state.view().on_start(span(1, 1).span_context);
        // The caller's span stays the parent of outgoing requests, as this one is never recorded.
        assert_eq!(state.view().current_span_context().span_id, format!("{:016x}", 9));
        state.view().on_end(span(1, 1));
        assert_eq!(state.view().outer_span_context().span_id, format!("{:016x}", 9));
    });
}
