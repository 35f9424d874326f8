//! A random tree of spans below the host's span: the guest's calls, and the expected records.

use std::collections::{BTreeMap, HashSet};

use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{self as otlp, span};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;
use tempo_wasi_otel::conformance::Received;

use super::SAMPLED;
use super::given::{Attributes, Scope, attributes, scopes, texts};
use super::guest::{Datetime, Step, tracing};

#[derive(Clone, Debug)]
pub(super) struct Tree {
    pub(super) trace: u128,
    pub(super) outer: u64,
    spans: Vec<Span>,
    /// At each position: whether the next span starts, and otherwise which open span ends.
    order: Vec<(bool, Index)>,
}

#[derive(Clone, Debug)]
struct Span {
    id: u64,
    parent: u64,
    kind: usize,
    name: String,
    times: (u64, u64),
    attributes: Attributes,
    events: Vec<(String, u64, Attributes)>,
    links: Vec<(u128, u64, bool, bool, Attributes)>,
    status: Result<bool, String>,
    scope: Scope,
    state: Vec<(String, String)>,
    dropped: [u32; 3],
}

const KINDS: [(tracing::SpanKind, i32); 5] = [
    (tracing::SpanKind::Internal, 1),
    (tracing::SpanKind::Server, 2),
    (tracing::SpanKind::Client, 3),
    (tracing::SpanKind::Producer, 4),
    (tracing::SpanKind::Consumer, 5),
];

pub(super) fn trees() -> impl Strategy<Value = Tree> {
    let scopes = vec(scopes(), 1..4);
    let spans = vec((spans(), any::<Index>(), any::<Index>()), 1..16);
    let order = vec((any::<bool>(), any::<Index>()), 40);
    (1_u128.., 1_u64.., spans, scopes, order).prop_map(|(trace, outer, given, scopes, order)| {
        let mut ids = HashSet::from([outer]);
        let mut spans: Vec<Span> = Vec::new();
        for (mut span, parent, scope) in given.into_iter().filter(|(span, ..)| ids.insert(span.id)) {
            // One of the spans before it, or the host's.
            let parent = parent.index(spans.len() + 1);
            span.parent = spans.get(parent).map_or(outer, |parent| parent.id);
            span.scope = scope.get(&scopes).clone();
            spans.push(span);
        }
        Tree { trace, outer, spans, order }
    })
}

fn spans() -> impl Strategy<Value = Span> {
    let links = vec((1_u128.., 1_u64.., any::<bool>(), any::<bool>(), attributes()), 0..3);
    let events = vec((texts(0..9), 0..i64::MAX as u64, attributes()), 0..3);
    let status = prop_oneof![texts(0..9).prop_map(Err), any::<bool>().prop_map(Ok)];
    let state = vec(("[a-z][a-z0-9_*/-]{0,8}", "[!-+.-<>-~]{1,9}"), 0..4);
    let times = (0..i64::MAX as u64, 0..i64::MAX as u64).prop_map(|(one, other)| (one.min(other), one.max(other)));
    let first = (1_u64.., 0..KINDS.len(), texts(0..20), times, attributes());
    let second = (events, links, status, scopes(), state, any::<[u32; 3]>());
    (first, second).prop_map(|(first, (events, links, status, scope, state, dropped))| {
        let (id, kind, name, times, attributes) = first;
        Span { id, parent: 0, kind, name, times, attributes, events, links, status, scope, state, dropped }
    })
}

fn time(nanos: u64) -> Datetime {
    Datetime { seconds: nanos / 1_000_000_000, nanoseconds: (nanos % 1_000_000_000) as u32 }
}

impl Tree {
    /// Returns the guest's calls, and the current span after each of them.
    pub(super) fn steps(&self) -> (Vec<Step>, Vec<String>) {
        let (mut steps, mut current) = (Vec::new(), Vec::new());
        let outer = format!("{:016x}", self.outer);
        self.walk(|span, begins, open| {
            steps.push(if begins { Step::Start(self.context(span)) } else { Step::End(self.given(span)) });
            current.push(open.last().map_or_else(|| outer.clone(), |span| format!("{:016x}", span.id)));
        });
        (steps, current)
    }

    /// Returns the expected records, in the order in which the spans end.
    pub(super) fn expected(&self) -> Vec<Received<otlp::Span>> {
        let mut expected = Vec::new();
        self.walk(|span, begins, _| {
            if !begins {
                let (scope, schema_url) = span.scope.expected();
                let message = self.otlp(span);
                expected.push(Received { resource: Resource::default(), scope, schema_url, message });
            }
        });
        expected
    }

    /// Calls `step` for each start and end of a span, with the spans that are open afterwards.
    fn walk<'a>(&'a self, mut step: impl FnMut(&'a Span, bool, &[&'a Span])) {
        let (mut rest, mut open) = (self.spans.iter(), Vec::new());
        let mut order = self.order.iter().cycle();
        while !(open.is_empty() && rest.as_slice().is_empty()) {
            let (begins, which) = order.next().unwrap();
            if (*begins || open.is_empty())
                && let Some(span) = rest.next()
            {
                open.push(span);
                step(span, true, &open);
            } else if !open.is_empty() {
                let span = open.remove(which.index(open.len()));
                step(span, false, &open);
            }
        }
    }

    fn context(&self, span: &Span) -> tracing::SpanContext {
        tracing::SpanContext {
            trace_id: format!("{:032x}", self.trace),
            span_id: format!("{:016x}", span.id),
            trace_flags: SAMPLED,
            is_remote: false,
            trace_state: span.state.clone(),
        }
    }

    fn given(&self, span: &Span) -> tracing::SpanData {
        let event = |(name, at, attributes): &(String, u64, Attributes)| tracing::Event {
            name: name.clone(),
            time: time(*at),
            attributes: attributes.given(),
        };
        let link = |(trace, id, sampled, is_remote, attributes): &(u128, u64, bool, bool, Attributes)| tracing::Link {
            span_context: tracing::SpanContext {
                trace_id: format!("{trace:032x}"),
                span_id: format!("{id:016x}"),
                trace_flags: if *sampled { SAMPLED } else { tracing::TraceFlags::empty() },
                is_remote: *is_remote,
                trace_state: span.state.clone(),
            },
            attributes: attributes.given(),
        };
        tracing::SpanData {
            span_context: self.context(span),
            parent_span_id: format!("{:016x}", span.parent),
            span_kind: KINDS[span.kind].0,
            name: span.name.clone(),
            start_time: time(span.times.0),
            end_time: time(span.times.1),
            attributes: span.attributes.given(),
            events: span.events.iter().map(event).collect(),
            links: span.links.iter().map(link).collect(),
            status: match &span.status {
                Ok(false) => tracing::Status::Unset,
                Ok(true) => tracing::Status::Ok,
                Err(text) => tracing::Status::Error(text.clone()),
            },
            instrumentation_scope: span.scope.given(),
            dropped_attributes: span.dropped[0],
            dropped_events: span.dropped[1],
            dropped_links: span.dropped[2],
        }
    }

    fn otlp(&self, span: &Span) -> otlp::Span {
        let state: Vec<String> = span.state.iter().map(|(key, value)| format!("{key}={value}")).collect();
        let event = |(name, at, attributes): &(String, u64, Attributes)| span::Event {
            time_unix_nano: *at,
            name: name.clone(),
            attributes: attributes.expected(),
            dropped_attributes_count: 0,
        };
        let link = |(trace, id, sampled, remote, attributes): &(u128, u64, bool, bool, Attributes)| span::Link {
            trace_id: trace.to_be_bytes().to_vec(),
            span_id: id.to_be_bytes().to_vec(),
            trace_state: state.join(","),
            attributes: attributes.expected(),
            dropped_attributes_count: 0,
            flags: u32::from(*sampled) | 0x100 | u32::from(*remote) << 9,
        };
        let status = match &span.status {
            Ok(false) => None,
            Ok(true) => Some((String::new(), 1)),
            Err(text) => Some((text.clone(), 2)),
        };
        otlp::Span {
            trace_id: self.trace.to_be_bytes().to_vec(),
            span_id: span.id.to_be_bytes().to_vec(),
            trace_state: state.join(","),
            parent_span_id: span.parent.to_be_bytes().to_vec(),
            flags: if span.parent == self.outer { 0x101 } else { 1 },
            name: span.name.clone(),
            kind: KINDS[span.kind].1,
            start_time_unix_nano: span.times.0,
            end_time_unix_nano: span.times.1,
            attributes: span.attributes.expected(),
            dropped_attributes_count: span.dropped[0],
            events: span.events.iter().map(event).collect(),
            dropped_events_count: span.dropped[1],
            links: span.links.iter().map(link).collect(),
            dropped_links_count: span.dropped[2],
            status: status.map(|(message, code)| otlp::Status { message, code }),
        }
    }

    /// Returns the names below each span, without its ID.
    pub(super) fn shape(&self) -> String {
        let spans = self
            .spans
            .iter()
            .map(|span| (span.parent.to_be_bytes().to_vec(), span.id.to_be_bytes().to_vec(), span.name.clone()));
        below(&self.outer.to_be_bytes(), &children(spans))
    }
}

/// Returns the shape of the received spans. The root is the parent that was not received.
pub(super) fn shape(arrived: &[Received<otlp::Span>]) -> String {
    let spans = arrived.iter().map(|record| &record.message);
    let ids: HashSet<_> = spans.clone().map(|span| span.span_id.clone()).collect();
    let roots: HashSet<_> = spans.clone().map(|span| &span.parent_span_id).filter(|id| !ids.contains(*id)).collect();
    let [root] = roots.into_iter().collect::<Vec<_>>()[..] else { return "not one tree".to_owned() };
    below(root, &children(spans.map(|span| (span.parent_span_id.clone(), span.span_id.clone(), span.name.clone()))))
}

type Children = BTreeMap<Vec<u8>, Vec<(Vec<u8>, String)>>;

fn children(spans: impl Iterator<Item = (Vec<u8>, Vec<u8>, String)>) -> Children {
    let mut children = Children::new();
    for (parent, id, name) in spans {
        children.entry(parent).or_default().push((id, name));
    }
    children
}

fn below(id: &[u8], children: &Children) -> String {
    let empty = Vec::new();
    let children_of = children.get(id).unwrap_or(&empty);
    let mut shapes: Vec<String> =
        children_of.iter().map(|(id, name)| format!("{name:?}{}", below(id, children))).collect();
    shapes.sort();
    format!("({})", shapes.join(" "))
}
