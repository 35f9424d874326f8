//! Spans and metrics of sent messages, as a decorator of brokers.

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use opentelemetry::KeyValue;
use opentelemetry::metrics::{Counter, Histogram};
use opentelemetry::trace::SpanKind;
use tempo_telemetry::{CallContext, ComponentMeter, Instruments, RemoteContext, Span, Telemetry, current};

use crate::{Broker, Consumer, Error, INBOX, Message, Operator, Result, Subscription};

/// The instruments of messages that the component sends.
struct SendInstruments {
    /// Duration of operations of a broker.
    duration: Histogram<f64>,
    sent: Counter<u64>,
}

impl Instruments for SendInstruments {
    fn register(meter: &ComponentMeter) -> Self {
        let sent = "Messages that the component sent";
        Self {
            duration: meter.seconds("messaging.client.operation.duration", "Duration of operations with a broker"),
            sent: meter.counter("messaging.client.sent.messages", "{message}", sent),
        }
    }
}

/// Records spans and metrics of the operations of a broker, and propagates the trace context in headers, also without
/// an exporter.
struct InstrumentedBroker {
    broker: Arc<dyn Broker>,
    telemetry: Telemetry,
    instruments: Option<Arc<SendInstruments>>,
    /// Scheme and name of the broker.
    attributes: [KeyValue; 2],
}

/// Instruments `broker`, which has this `name` and the scheme `system`.
pub(crate) fn instrument(telemetry: &Telemetry, system: &str, name: &str, broker: Arc<dyn Broker>) -> Arc<dyn Broker> {
    let system = KeyValue::new("messaging.system", system.to_owned());
    let attributes = [system, KeyValue::new("tempo.store", name.to_owned())];
    let (telemetry, instruments) = (telemetry.clone(), telemetry.instruments());
    Arc::new(InstrumentedBroker { broker, telemetry, instruments, attributes })
}

/// A send operation in progress.
struct SendOperation<'a> {
    broker: &'a InstrumentedBroker,
    operation: &'static str,
    spans: Vec<Span>,
    begun: Instant,
}

impl InstrumentedBroker {
    fn begin(&self, operation: &'static str, kind: &SpanKind, messages: &mut [Message]) -> SendOperation<'_> {
        let context = current();
        let mut spans = Vec::new();
        if let Some(context) = &context {
            for message in messages {
                spans.extend(self.start_span(operation, kind.clone(), context, message));
            }
        }
        SendOperation { broker: self, operation, spans, begun: Instant::now() }
    }

    /// Starts the span of a message, and injects its context into the headers.
    fn start_span(
        &self,
        operation: &'static str,
        kind: SpanKind,
        context: &CallContext,
        message: &mut Message,
    ) -> Option<Span> {
        let remote = RemoteContext::extract(|name| message.header(name));
        let topic = (!message.topic.starts_with(INBOX)).then_some(message.topic.as_str());
        let name = || topic.map_or(operation.into(), |topic| format!("{operation} {topic}").into());
        let outgoing = self.telemetry.outgoing(kind, context, &remote, name);
        let mut span = outgoing.span;
        if let Some(data) = span.as_mut().and_then(Span::data) {
            data.attributes.extend(self.attributes.iter().cloned());
            describe(&mut data.attributes, operation, message);
        }
        for (name, value) in outgoing.headers {
            set(message, name, value);
        }
        span
    }
}

impl SendOperation<'_> {
    /// Ends the operation with the `error.type` of each failed message.
    fn end(mut self, errors: &[Option<&'static str>]) {
        for (span, error) in self.spans.iter_mut().zip(errors) {
            error.iter().for_each(|error| span.fail(error));
        }
        let Some(instruments) = &self.broker.instruments else { return };
        let mut attributes = self.broker.attributes.to_vec();
        attributes.extend_from_slice(self.broker.telemetry.labels());
        attributes.push(KeyValue::new("messaging.operation.name", self.operation));
        let sent = errors.iter().filter(|error| error.is_none()).count();
        instruments.sent.add(sent as u64, &attributes);
        if let Some(error) = errors.iter().flatten().next() {
            attributes.push(KeyValue::new("error.type", *error));
        }
        instruments.duration.record(self.begun.elapsed().as_secs_f64(), &attributes);
    }
}

fn error_type(error: &Error) -> &'static str {
    error.kind().name()
}

#[async_trait]
impl Broker for InstrumentedBroker {
    async fn publish(&self, mut messages: Vec<Message>) -> Vec<Result<()>> {
        let sending = self.begin("publish", &SpanKind::Producer, &mut messages);
        let results = self.broker.publish(messages).await;
        let errors: Vec<_> = results.iter().map(|result| result.as_ref().err().map(error_type)).collect();
        sending.end(&errors);
        results
    }

    async fn reply(&self, answer: Message) -> Result<()> {
        let mut answers = [answer];
        let sending = self.begin("reply", &SpanKind::Producer, &mut answers);
        let [answer] = answers;
        let result = self.broker.reply(answer).await;
        sending.end(&[result.as_ref().err().map(error_type)]);
        result
    }

    async fn request(&self, message: Message, replies: usize, timeout: Duration) -> Result<Vec<Message>> {
        let mut messages = [message];
        let sending = self.begin("request", &SpanKind::Client, &mut messages);
        let [message] = messages;
        let result = self.broker.request(message, replies, timeout).await;
        sending.end(&[result.as_ref().err().map(error_type)]);
        result
    }

    async fn subscribe(&self, subscription: &Subscription) -> tempo_settings::Result<Box<dyn Consumer>> {
        self.broker.subscribe(subscription).await
    }

    fn is_shared(&self) -> bool {
        self.broker.is_shared()
    }

    fn operator(&self) -> Option<&dyn Operator> {
        self.broker.operator()
    }
}

/// Adds attributes of `message`, without its key, payload and headers, which may be secret.
pub(crate) fn describe(attributes: &mut Vec<KeyValue>, operation: &'static str, message: &Message) {
    attributes.push(KeyValue::new("messaging.operation.name", operation));
    if message.topic.starts_with(INBOX) {
        attributes.push(KeyValue::new("messaging.destination.temporary", true));
    } else {
        attributes.push(KeyValue::new("messaging.destination.name", message.topic.clone()));
    }
    let size = i64::try_from(message.payload.len()).unwrap_or(i64::MAX);
    attributes.push(KeyValue::new("messaging.message.body.size", size));
}

/// Sets a header with a single value.
pub(crate) fn set(message: &mut Message, name: &str, value: String) {
    message.headers.retain(|(other, _)| !other.eq_ignore_ascii_case(name));
    message.headers.push((name.to_owned(), value));
}
