//! Spans and durations of store operations, by the OpenTelemetry semantic conventions for databases.

use std::future::Future;
use std::sync::Arc;
use std::time::Instant;

use opentelemetry::KeyValue;
use opentelemetry::metrics::Histogram;
use opentelemetry::trace::SpanKind;

use crate::context::current;
use crate::instruments::{ComponentMeter, Instruments};
use crate::span::Span;
use crate::telemetry::Telemetry;

/// Instruments the operations on one store. `db.system.name` is the scheme of the store's URL, `db.namespace` the name
/// under which the component opens it.
#[derive(Clone, Debug)]
pub struct Operations {
    telemetry: Telemetry,
    durations: Option<Arc<OperationDurations>>,
    store: Arc<str>,
    /// Attributes of every operation.
    attributes: [KeyValue; 2],
}

#[derive(Debug)]
struct OperationDurations(Histogram<f64>);

impl Instruments for OperationDurations {
    fn register(meter: &ComponentMeter) -> Self {
        Self(meter.seconds("db.client.operation.duration", "Duration of operations on stores"))
    }
}

/// A running operation. If it is dropped before [`end`](Operation::end), it is recorded as cancelled.
#[derive(Debug)]
pub struct Operation {
    operations: Operations,
    name: &'static str,
    span: Option<Span>,
    begun: Instant,
    /// The `error.type` of the operation's result.
    error: Option<&'static str>,
}

impl Operations {
    /// Instruments the operations on the store `name` of `system`, such as `nats`.
    pub fn new(telemetry: &Telemetry, system: &str, name: &str) -> Self {
        let system = KeyValue::new("db.system.name", system.to_owned());
        let attributes = [system, KeyValue::new("db.namespace", name.to_owned())];
        let durations = telemetry.instruments();
        Self { telemetry: telemetry.clone(), durations, store: name.into(), attributes }
    }

    /// Begins the operation `name`, as a child of the current call's innermost span.
    pub fn begin(&self, name: &'static str) -> Operation {
        let parent = current().map(|context| context.innermost());
        let title = || format!("{name} {}", self.store).into();
        let parent = parent.as_ref().filter(|parent| parent.is_valid());
        let mut span = self.telemetry.start(SpanKind::Client, parent, title);
        if let Some(data) = span.as_mut().and_then(Span::data) {
            data.attributes.extend(self.attributes.iter().cloned());
            data.attributes.push(KeyValue::new("db.operation.name", name));
        }
        Operation { operations: self.clone(), name, span, begun: Instant::now(), error: Some("cancelled") }
    }

    /// Runs `work` as the operation `name`. `error_type` maps its error to a low-cardinality `error.type`.
    ///
    /// # Errors
    ///
    /// That of `work`.
    pub async fn instrument<T, E>(
        &self,
        name: &'static str,
        error_type: impl FnOnce(&E) -> &'static str,
        work: impl Future<Output = Result<T, E>>,
    ) -> Result<T, E> {
        let operation = self.begin(name);
        let result = work.await;
        operation.end(result.as_ref().err().map(error_type));
        result
    }
}

impl Operation {
    /// Ends the operation. `error` is a low-cardinality `error.type`, `None` on success.
    pub fn end(mut self, error: Option<&'static str>) {
        self.error = error;
    }
}

impl Drop for Operation {
    fn drop(&mut self) {
        if let (Some(span), Some(error)) = (&mut self.span, self.error) {
            span.fail(error);
        }
        let Some(OperationDurations(durations)) = self.operations.durations.as_deref() else { return };
        let mut attributes = self.operations.attributes.to_vec();
        attributes.extend_from_slice(self.operations.telemetry.labels());
        attributes.push(KeyValue::new("db.operation.name", self.name));
        attributes.extend(self.error.map(|error| KeyValue::new("error.type", error)));
        durations.record(self.begun.elapsed().as_secs_f64(), &attributes);
    }
}
