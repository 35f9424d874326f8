//! `wasi:otel/tracing`: guest spans, and their relation to the host's spans.

use std::mem;

use opentelemetry::trace::SpanContext;
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::span::{Event, Link, SpanKind};
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;
use opentelemetry_proto::tonic::trace::v1::{Span, Status};
use tempo_telemetry::{CallContext, Signal, current};

use crate::bindings::wasi::otel::tracing as wit;
use crate::limits::{MAX_ATTRIBUTES, MAX_CALL_SPANS, MAX_EVENTS, MAX_LINKS, MAX_MESSAGE, MAX_NAME, MAX_VALUE};
use crate::message_budget::MessageBudget;
use crate::types::{count, nanos, parent_id, scope, span_context};
use crate::{Dropped, Origin, OtelView};

/// Span flags: whether the parent's remoteness is known, and whether it is remote (`SpanFlags` of OTLP).
const REMOTE_KNOWN: u32 = 0x100;
const REMOTE: u32 = 0x200;
/// Size of the IDs and numbers of a span, an event and a link, in bytes.
const FIXED: (usize, usize, usize) = (96, 16, 48);

impl wit::Host for OtelView<'_> {
    fn on_start(&mut self, context: wit::SpanContext) {
        if !self.collector.enabled(Signal::Traces) {
            return;
        }
        if let (Some(call), Some(span)) = (current(), span_context(&context)) {
            call.opened(span);
        }
    }

    fn on_end(&mut self, span: wit::SpanData) {
        if self.collector.enabled(Signal::Traces)
            && let Err(why) = self.end(span)
        {
            self.collector.dropped(Signal::Traces, why, 1);
        }
    }

    fn outer_span_context(&mut self) -> wit::SpanContext {
        to_wit(current().as_ref().map_or(&SpanContext::NONE, |call| call.outer()))
    }

    fn current_span_context(&mut self) -> wit::SpanContext {
        to_wit(&current().map_or(SpanContext::NONE, |call| call.innermost()))
    }
}

impl OtelView<'_> {
    fn end(&self, mut given: wit::SpanData) -> Result<(), Dropped> {
        let call = current();
        let context = span_context(&given.span_context).ok_or(Dropped::Invalid)?;
        if let Some(call) = &call {
            call.closed(context.span_id());
        }
        let parent = parent_id(&given.parent_span_id).ok_or(Dropped::Invalid)?;
        if !self.is_recorded(&context, call.as_deref()) {
            return Ok(());
        }
        if call.as_ref().is_some_and(|call| call.count_span() > MAX_CALL_SPANS) {
            return Err(Dropped::Count);
        }
        if !self.budgets.spans.admit(1) {
            return Err(Dropped::Rate);
        }
        let (scope, schema_url) = scope(mem::replace(&mut given.instrumentation_scope, no_scope()));
        let mut span = span(given, &context);
        if parent.to_bytes() != [0; 8] {
            span.parent_span_id = parent.to_bytes().to_vec();
        }
        // The parent of an unknown span is unknown here.
        let outer = call.as_ref().map(|call| call.outer());
        if let Some(outer) = outer.filter(|o| o.span_id() == parent && o.trace_id() == context.trace_id()) {
            span.flags |= remote(outer);
        }
        self.collector.span(Origin { resource: &Resource::default(), scope: &scope, schema_url: &schema_url }, span);
        Ok(())
    }

    /// Returns whether to record a span: the guest has sampled it, and so has the owner of its trace.
    fn is_recorded(&self, span: &SpanContext, call: Option<&CallContext>) -> bool {
        let outer = call.map(CallContext::outer).filter(|outer| outer.trace_id() == span.trace_id());
        span.is_sampled() && outer.map_or_else(|| self.collector.samples(span), SpanContext::is_sampled)
    }
}

/// Converts a span without its parent. Important fields come first, as the budget may run out.
fn span(given: wit::SpanData, context: &SpanContext) -> Span {
    let mut budget = MessageBudget::new(MAX_MESSAGE);
    budget.take(FIXED.0);
    let name = budget.text(given.name, MAX_NAME);
    let trace_state = budget.text(context.trace_state().header(), usize::MAX);
    let status = status(&mut budget, given.status);
    let (attributes, dropped_attributes) = budget.attributes(given.attributes, MAX_ATTRIBUTES);
    let (links, dropped_links) = links(&mut budget, given.links);
    let (events, dropped_events) = events(&mut budget, given.events);
    let start = nanos(given.start_time);
    Span {
        trace_id: context.trace_id().to_bytes().to_vec(),
        span_id: context.span_id().to_bytes().to_vec(),
        trace_state,
        parent_span_id: Vec::new(),
        flags: u32::from(context.trace_flags().to_u8()),
        name,
        kind: kind(given.span_kind).into(),
        start_time_unix_nano: start,
        // A span never ends before its start, whatever the guest's clock.
        end_time_unix_nano: nanos(given.end_time).max(start),
        attributes,
        dropped_attributes_count: dropped_attributes.saturating_add(given.dropped_attributes),
        events,
        dropped_events_count: dropped_events.saturating_add(given.dropped_events),
        links,
        dropped_links_count: dropped_links.saturating_add(given.dropped_links),
        status,
    }
}

fn links(budget: &mut MessageBudget, given: Vec<wit::Link>) -> (Vec<Link>, u32) {
    let all = given.len();
    let mut links = Vec::with_capacity(all.min(MAX_LINKS));
    for link in given {
        let Some(context) = span_context(&link.span_context).filter(|_| links.len() < MAX_LINKS) else { continue };
        let trace_state = context.trace_state().header();
        if !budget.take(FIXED.2.saturating_add(trace_state.len())) {
            break;
        }
        let (attributes, dropped_attributes_count) = budget.attributes(link.attributes, MAX_ATTRIBUTES);
        links.push(Link {
            trace_id: context.trace_id().to_bytes().to_vec(),
            span_id: context.span_id().to_bytes().to_vec(),
            trace_state,
            attributes,
            dropped_attributes_count,
            flags: u32::from(context.trace_flags().to_u8()) | remote(&context),
        });
    }
    let dropped = count(all.saturating_sub(links.len()));
    (links, dropped)
}

fn events(budget: &mut MessageBudget, given: Vec<wit::Event>) -> (Vec<Event>, u32) {
    let all = given.len();
    let mut events = Vec::with_capacity(all.min(MAX_EVENTS));
    for event in given.into_iter().take(MAX_EVENTS) {
        if !budget.take(FIXED.1.saturating_add(event.name.len().min(MAX_NAME))) {
            break;
        }
        let name = crate::value::clip(event.name, MAX_NAME);
        let (attributes, dropped_attributes_count) = budget.attributes(event.attributes, MAX_ATTRIBUTES);
        events.push(Event { time_unix_nano: nanos(event.time), name, attributes, dropped_attributes_count });
    }
    let dropped = count(all.saturating_sub(events.len()));
    (events, dropped)
}

fn status(budget: &mut MessageBudget, given: wit::Status) -> Option<Status> {
    let (code, message) = match given {
        wit::Status::Unset => return None,
        wit::Status::Ok => (StatusCode::Ok, String::new()),
        wit::Status::Error(message) => (StatusCode::Error, budget.text(message, MAX_VALUE)),
    };
    Some(Status { message, code: code.into() })
}

fn kind(given: wit::SpanKind) -> SpanKind {
    match given {
        wit::SpanKind::Client => SpanKind::Client,
        wit::SpanKind::Server => SpanKind::Server,
        wit::SpanKind::Producer => SpanKind::Producer,
        wit::SpanKind::Consumer => SpanKind::Consumer,
        wit::SpanKind::Internal => SpanKind::Internal,
    }
}

fn remote(span: &SpanContext) -> u32 {
    REMOTE_KNOWN | if span.is_remote() { REMOTE } else { 0 }
}

fn no_scope() -> wit::InstrumentationScope {
    wit::InstrumentationScope { name: String::new(), version: None, schema_url: None, attributes: Vec::new() }
}

/// Converts a span context for the guest; zeros if there is none.
fn to_wit(span: &SpanContext) -> wit::SpanContext {
    let sampled = span.is_sampled();
    let state = span.trace_state().header();
    let member = |member: &str| member.split_once('=').map(|(key, value)| (key.to_owned(), value.to_owned()));
    wit::SpanContext {
        trace_id: span.trace_id().to_string(),
        span_id: span.span_id().to_string(),
        trace_flags: if sampled { wit::TraceFlags::SAMPLED } else { wit::TraceFlags::empty() },
        is_remote: span.is_remote(),
        trace_state: state.split(',').filter_map(member).collect(),
    }
}

#[cfg(test)]
mod tests;
