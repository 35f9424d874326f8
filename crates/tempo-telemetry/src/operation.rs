//! Operations on stores: a span and a duration for each, by the conventions for databases.

use std::future::Future;
use std::sync::Arc;
use std::time::Instant;

use opentelemetry::KeyValue;
use opentelemetry::trace::SpanKind;

use super::context::current;
use super::span::Span;
use crate::sink::Telemetry;

/// One store, as it is told of: by the scheme of its URL and the name under which the component opens it.
#[derive(Clone, Debug)]
pub struct Operations {
    telemetry: Telemetry,
    store: Arc<str>,
    /// The attributes of all that is told of it.
    attributes: [KeyValue; 2],
}

/// An operation that is under way. Dropped before its [`end`](Operation::end), it was given up.
#[derive(Debug)]
pub struct Operation {
    operations: Operations,
    name: &'static str,
    span: Option<Span>,
    begun: Instant,
    /// The `error.type` that it ends with.
    error: Option<&'static str>,
}

impl Operations {
    /// What is done on the store `name` of a system, such as `nats`.
    pub fn new(telemetry: &Telemetry, system: &str, name: &str) -> Self {
        let system = KeyValue::new("db.system.name", system.to_owned());
        let attributes = [system, KeyValue::new("db.namespace", name.to_owned())];
        Self { telemetry: telemetry.clone(), store: name.into(), attributes }
    }

    /// Begins the operation `name`, as part of the call in which it is asked for.
    pub fn begin(&self, name: &'static str) -> Operation {
        let parent = current().map(|context| context.innermost());
        let title = || format!("{name} {}", self.store).into();
        let mut span =
            self.telemetry.start(SpanKind::Client, parent.as_ref().filter(|parent| parent.is_valid()), title);
        if let Some(data) = span.as_mut().and_then(Span::data) {
            data.attributes.extend(self.attributes.iter().cloned());
            data.attributes.push(KeyValue::new("db.operation.name", name));
        }
        Operation { operations: self.clone(), name, span, begun: Instant::now(), error: Some("cancelled") }
    }

    /// Does `work`, which is the operation `name`. A failure is told by the word that `error` has for it.
    ///
    /// # Errors
    ///
    /// That of `work`.
    pub async fn tell<T, E>(
        &self,
        name: &'static str,
        error: impl FnOnce(&E) -> &'static str,
        work: impl Future<Output = Result<T, E>>,
    ) -> Result<T, E> {
        let operation = self.begin(name);
        let result = work.await;
        operation.end(result.as_ref().err().map(error));
        result
    }
}

impl Operation {
    /// Ends the operation: well, or with an `error.type`, a word of a small set.
    pub fn end(mut self, error: Option<&'static str>) {
        self.error = error;
    }
}

impl Drop for Operation {
    fn drop(&mut self) {
        if let (Some(span), Some(error)) = (&mut self.span, self.error) {
            span.fail(error);
        }
        let Some(metrics) = self.operations.telemetry.metrics() else { return };
        let mut attributes = self.operations.attributes.to_vec();
        attributes.push(KeyValue::new("db.operation.name", self.name));
        attributes.extend(self.error.map(|error| KeyValue::new("error.type", error)));
        metrics.db_operation_duration.record(self.begun.elapsed().as_secs_f64(), &attributes);
    }
}
