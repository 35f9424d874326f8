//! What is told of the messages that a component sends, by a broker that tells it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use opentelemetry::KeyValue;
use opentelemetry::trace::SpanKind;
use tempo_telemetry::{CallContext, RemoteContext, Span, Telemetry, current};

use crate::{Broker, Consumer, Error, INBOX, Message, Operator, Result, Subscription};

/// Tells what is sent by the broker within it, and hands the trace on in the headers, which it also does where nobody
/// listens.
struct Told {
    broker: Arc<dyn Broker>,
    telemetry: Telemetry,
    /// The scheme and the name of the broker.
    attributes: [KeyValue; 2],
}

/// `broker`, which the component uses by `name` and which is of the scheme `system`, so that it tells what is sent.
pub(crate) fn told(telemetry: &Telemetry, system: &str, name: &str, broker: Arc<dyn Broker>) -> Arc<dyn Broker> {
    let system = KeyValue::new("messaging.system", system.to_owned());
    let attributes = [system, KeyValue::new("tempo.store", name.to_owned())];
    Arc::new(Told { broker, telemetry: telemetry.clone(), attributes })
}

/// An operation of a component with its broker.
struct Sending<'a> {
    told: &'a Told,
    operation: &'static str,
    spans: Vec<Span>,
    begun: Instant,
}

impl Told {
    fn begin(&self, operation: &'static str, kind: &SpanKind, messages: &mut [Message]) -> Sending<'_> {
        let context = current();
        let mut spans = Vec::new();
        if let Some(context) = &context {
            for message in messages {
                spans.extend(self.hand_on(operation, kind.clone(), context, message));
            }
        }
        Sending { told: self, operation, spans, begun: Instant::now() }
    }

    /// Begins the span of one message, and has its headers name it.
    fn hand_on(
        &self,
        operation: &'static str,
        kind: SpanKind,
        context: &CallContext,
        message: &mut Message,
    ) -> Option<Span> {
        let said = RemoteContext::extract(|name| message.header(name));
        let topic = (!message.topic.starts_with(INBOX)).then_some(message.topic.as_str());
        let name = || topic.map_or(operation.into(), |topic| format!("{operation} {topic}").into());
        let outgoing = self.telemetry.outgoing(kind, context, &said, name);
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

impl Sending<'_> {
    /// Tells how the operation ended: the `error.type` of each message, if it was not sent.
    fn end(mut self, errors: &[Option<&'static str>]) {
        for (span, error) in self.spans.iter_mut().zip(errors) {
            error.iter().for_each(|error| span.fail(error));
        }
        let Some(metrics) = self.told.telemetry.metrics() else { return };
        let mut attributes = self.told.attributes.to_vec();
        attributes.push(KeyValue::new("messaging.operation.name", self.operation));
        let sent = errors.iter().filter(|error| error.is_none()).count();
        metrics.messaging_sent.add(sent as u64, &attributes);
        if let Some(error) = errors.iter().flatten().next() {
            attributes.push(KeyValue::new("error.type", *error));
        }
        metrics.messaging_operation_duration.record(self.begun.elapsed().as_secs_f64(), &attributes);
    }
}

fn word(error: &Error) -> &'static str {
    error.kind().name()
}

#[async_trait]
impl Broker for Told {
    async fn publish(&self, mut messages: Vec<Message>) -> Vec<Result<()>> {
        let sending = self.begin("publish", &SpanKind::Producer, &mut messages);
        let results = self.broker.publish(messages).await;
        let errors: Vec<_> = results.iter().map(|result| result.as_ref().err().map(word)).collect();
        sending.end(&errors);
        results
    }

    async fn reply(&self, answer: Message) -> Result<()> {
        let mut answers = [answer];
        let sending = self.begin("reply", &SpanKind::Producer, &mut answers);
        let [answer] = answers;
        let result = self.broker.reply(answer).await;
        sending.end(&[result.as_ref().err().map(word)]);
        result
    }

    async fn request(&self, message: Message, replies: usize, timeout: Duration) -> Result<Vec<Message>> {
        let mut messages = [message];
        let sending = self.begin("request", &SpanKind::Client, &mut messages);
        let [message] = messages;
        let result = self.broker.request(message, replies, timeout).await;
        sending.end(&[result.as_ref().err().map(word)]);
        result
    }

    async fn subscribe(&self, subscription: &Subscription) -> anyhow::Result<Box<dyn Consumer>> {
        self.broker.subscribe(subscription).await
    }

    fn is_shared(&self) -> bool {
        self.broker.is_shared()
    }

    fn operator(&self) -> Option<&dyn Operator> {
        self.broker.operator()
    }
}

/// Neither key nor payload nor headers: they may be secrets.
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

/// Sets a header that comes once.
pub(crate) fn set(message: &mut Message, name: &str, value: String) {
    message.headers.retain(|(other, _)| !other.eq_ignore_ascii_case(name));
    message.headers.push((name.to_owned(), value));
}
