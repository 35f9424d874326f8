//! Spans and metrics of handled messages.

use std::sync::Arc;
use std::time::Instant;

use opentelemetry::KeyValue;
use opentelemetry::metrics::{Counter, Histogram};
use opentelemetry::trace::{SpanContext, SpanKind};
use tempo_telemetry::{CallContext, ComponentMeter, Instruments, RemoteContext, Span};

use super::attempt::Disposition;
use super::handlers::Handlers;
use crate::Message;
use crate::telemetry::{describe, set};

/// The instruments of messages that the component handles.
pub(super) struct ProcessInstruments {
    /// Messages that were delivered to the runtime.
    consumed: Counter<u64>,
    /// Duration of the component's handler.
    duration: Histogram<f64>,
    /// Messages by their settlement.
    settled: Counter<u64>,
    /// Names the component of an app.
    labels: Vec<KeyValue>,
}

impl Instruments for ProcessInstruments {
    fn register(meter: &ComponentMeter) -> Self {
        let consumed = "Messages delivered to the runtime";
        Self {
            consumed: meter.counter("messaging.client.consumed.messages", "{message}", consumed),
            duration: meter.seconds("messaging.process.duration", "Duration of handling a message"),
            settled: meter.counter("tempo.messages.settled", "{message}", "Messages by what became of them"),
            labels: meter.labels().to_vec(),
        }
    }
}

/// Span of one attempt. Dropping it ends the span and records the metrics.
pub(super) struct ProcessSpan {
    instruments: Option<Arc<ProcessInstruments>>,
    span: Option<Span>,
    consumer: KeyValue,
    begun: Instant,
    error: Option<&'static str>,
}

impl ProcessSpan {
    /// Starts the span of delivery number `attempt` of `message` to `consumer`, and creates the context of the call.
    /// The span continues the trace in the message's headers, which are updated.
    pub(super) fn begin(
        handlers: &Handlers,
        consumer: &str,
        attempt: u32,
        message: &mut Message,
    ) -> (Option<Arc<CallContext>>, Self) {
        let remote = RemoteContext::extract(|name| message.header(name));
        let name = || format!("process {}", message.topic).into();
        let mut span = handlers.telemetry().start(SpanKind::Consumer, remote.span.as_ref(), name);
        let consumer = KeyValue::new("messaging.consumer.group.name", consumer.to_owned());
        if let Some(data) = span.as_mut().and_then(Span::data) {
            data.attributes.push(consumer.clone());
            data.attributes.push(KeyValue::new("tempo.message.attempt", i64::from(attempt)));
            describe(&mut data.attributes, "process", message);
        }
        let outer = match (&span, &remote.span) {
            (Some(span), _) => span.context().clone(),
            (None, Some(sender)) => sender.clone(),
            (None, None) => SpanContext::NONE,
        };
        let context = (span.is_some() || remote.baggage.is_some() || outer.is_valid())
            .then(|| CallContext::new(outer, remote.baggage));
        if let (Some(context), Some(span)) = (&context, &span) {
            context.inject(span.context(), |name, value| set(message, name, value.to_owned()));
        }
        let process = Self {
            instruments: handlers.instruments().cloned(),
            span,
            consumer,
            begun: Instant::now(),
            error: Some("given_back"),
        };
        (context, process)
    }

    /// Sets the outcome.
    pub(super) fn ended(&mut self, disposition: &Disposition) {
        self.error = match disposition {
            Disposition::Ack => None,
            Disposition::GivenBack => Some("given_back"),
            Disposition::Reject(_) => Some("rejected"),
            Disposition::Retry { .. } => Some("failed"),
        };
        if let Some(span) = &mut self.span {
            span.set("tempo.outcome", self.error.unwrap_or("acked"));
        }
    }
}

impl Drop for ProcessSpan {
    fn drop(&mut self) {
        if let (Some(span), Some(error)) = (&mut self.span, self.error) {
            span.fail(error);
        }
        let Some(instruments) = &self.instruments else { return };
        let mut attributes = vec![self.consumer.clone()];
        attributes.extend_from_slice(&instruments.labels);
        instruments.consumed.add(1, &attributes);
        attributes.extend(self.error.map(|error| KeyValue::new("error.type", error)));
        instruments.duration.record(self.begun.elapsed().as_secs_f64(), &attributes);
    }
}

/// Counts a settlement of `consumer`.
pub(super) fn count_settlement(handlers: &Handlers, consumer: &str, outcome: &'static str) {
    if let Some(instruments) = handlers.instruments() {
        let consumer = KeyValue::new("messaging.consumer.group.name", consumer.to_owned());
        let attributes = [&[consumer, KeyValue::new("tempo.outcome", outcome)], &instruments.labels[..]].concat();
        instruments.settled.add(1, &attributes);
    }
}
