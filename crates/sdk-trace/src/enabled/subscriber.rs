//! A `tracing` subscriber on OpenTelemetry: it maps spans to spans, and events to log records.
//!
//! Entering a span makes it the current OpenTelemetry context, and the parent of a new span is the current context.
//! OtelSubscriber of both APIs can therefore be nested in any way, and a span starts and ends for the host when it does for the
//! program. (`tracing-opentelemetry` starts a span on first entry, and needs a registry of layers.)

use std::borrow::Cow;
use std::sync::atomic::{AtomicU8, Ordering};

use opentelemetry::Context;
use opentelemetry::logs::{LogRecord as _, Logger as _, Severity};
use opentelemetry::trace::{Span as _, SpanContext, SpanRef, TraceContextExt as _, Tracer as _};
use tracing::level_filters::LevelFilter;
use tracing::span::{Attributes, Record};
use tracing::subscriber::{Interest, Subscriber};
use tracing::{Event, Id, Level, Metadata};
use tracing_core::span::Current;

use super::fields::{EventFields, SpanFields};
use super::pipeline::pipeline;
use super::{call, open};

/// The levels from least to most verbose; [`LEVEL`] holds an index into it.
const LEVELS: [LevelFilter; 6] = [
    LevelFilter::OFF,
    LevelFilter::ERROR,
    LevelFilter::WARN,
    LevelFilter::INFO,
    LevelFilter::DEBUG,
    LevelFilter::TRACE,
];

/// The maximum level of recorded spans and events: an index into [`LEVELS`].
static LEVEL: AtomicU8 = AtomicU8::new(3);

fn level() -> LevelFilter {
    LEVELS.get(usize::from(LEVEL.load(Ordering::Relaxed))).copied().unwrap_or(LevelFilter::TRACE)
}

/// Records spans and events of `tracing` up to `level`. The initial level is `INFO`.
pub fn set_level(level: LevelFilter) {
    let place = LEVELS.iter().position(|other| *other == level).and_then(|place| u8::try_from(place).ok());
    let Some(place) = place else { return };
    if LEVEL.swap(place, Ordering::Relaxed) != place {
        tracing::callsite::rebuild_interest_cache();
    }
}

/// The `tracing` subscriber.
pub(super) struct OtelSubscriber;

impl Subscriber for OtelSubscriber {
    fn register_callsite(&self, metadata: &'static Metadata<'static>) -> Interest {
        if *metadata.level() > level() {
            Interest::never()
        } else if metadata.is_span() {
            Interest::sometimes()
        } else {
            Interest::always()
        }
    }

    /// Returns false for a span that is not recorded: its fields need not be evaluated.
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        *metadata.level() <= level() && !(metadata.is_span() && Context::map_current(call::is_unsampled))
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(level())
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        let parent = parent(span);
        let mut fields = SpanFields::with_capacity(span.fields().len());
        span.record(&mut fields);
        let tracer = &pipeline().tracer;
        let name = fields.name.map_or(Cow::Borrowed(span.metadata().name()), Cow::Owned);
        let mut builder = tracer.span_builder(name).with_attributes(fields.attributes);
        builder.span_kind = fields.kind;
        let mut started = tracer.build_with_context(builder, &parent);
        if let Some(status) = fields.status {
            started.set_status(status);
        }
        open::insert(parent.with_span(started), span.metadata())
    }

    fn record(&self, id: &Id, values: &Record<'_>) {
        let Some(context) = open::context(id) else { return };
        let mut fields = SpanFields::default();
        values.record(&mut fields);
        let span = context.span();
        span.set_attributes(fields.attributes);
        if let Some(name) = fields.name {
            span.update_name(name);
        }
        if let Some(status) = fields.status {
            span.set_status(status);
        }
    }

    fn record_follows_from(&self, id: &Id, follows: &Id) {
        if let (Some(context), Some(before)) = (open::context(id), open::context(follows)) {
            context.span().add_link(identity(&before.span()), Vec::new());
        }
    }

    fn event(&self, event: &Event<'_>) {
        let metadata = event.metadata();
        let mut fields = EventFields::default();
        event.record(&mut fields);
        let logger = &pipeline().logger;
        let mut record = logger.create_log_record();
        record.set_target(metadata.target());
        // The macros' default event name is the source location.
        if !metadata.name().starts_with("event ") {
            record.set_event_name(metadata.name());
        }
        record.set_severity_number(severity(metadata.level()));
        record.set_severity_text(metadata.level().as_str());
        if let Some(message) = fields.message {
            record.set_body(message.into());
        }
        record.add_attributes(fields.attributes);
        if let Some(context) = event.parent().and_then(open::context) {
            let span = identity(&context.span());
            record.set_trace_context(span.trace_id(), span.span_id(), Some(span.trace_flags()));
        }
        record.set_timestamp(opentelemetry::time::now());
        logger.emit(record);
    }

    fn enter(&self, id: &Id) {
        open::enter(id);
    }

    fn exit(&self, id: &Id) {
        open::exit(id);
    }

    fn clone_span(&self, id: &Id) -> Id {
        open::add_reference(id);
        id.clone()
    }

    fn try_close(&self, id: Id) -> bool {
        let Some(context) = open::remove_reference(&id) else { return false };
        // A clone of the context, for example in a task, does not keep the span open.
        context.span().end();
        true
    }

    fn current_span(&self) -> Current {
        open::current().map_or_else(Current::none, |(id, metadata)| Current::new(id, metadata))
    }
}

/// Returns the context of the new span's parent.
fn parent(span: &Attributes<'_>) -> Context {
    if let Some(context) = span.parent().and_then(open::context) {
        return context;
    }
    let current = Context::current();
    if span.is_root() {
        return current.with_remote_span_context(SpanContext::empty_context());
    }
    // Without an attribute of the SDK, each outermost span requests the host's span.
    if call::is_outside_call(&current) { call::outer() } else { current }
}

fn identity(span: &SpanRef<'_>) -> SpanContext {
    span.span_context().clone()
}

fn severity(level: &Level) -> Severity {
    match *level {
        Level::TRACE => Severity::Trace,
        Level::DEBUG => Severity::Debug,
        Level::INFO => Severity::Info,
        Level::WARN => Severity::Warn,
        Level::ERROR => Severity::Error,
    }
}
