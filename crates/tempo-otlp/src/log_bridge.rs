//! `LogBridge`: exports `tracing` events as log records.

use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::SystemTime;

use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue};
use opentelemetry_proto::tonic::logs::v1::LogRecord;
use tempo_telemetry::{Origin, Record, Signal, Telemetry, current};
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;

use crate::is_telemetry_thread;
use crate::time::unix_nanos;

/// The severity number `FATAL`, of a guest's `critical` messages.
const CRITICAL: i32 = 21;

/// A `tracing` layer. It discards events until it is [connected](Self::connect). Clones share their state.
#[derive(Clone, Debug, Default)]
pub struct LogBridge {
    telemetry: Arc<OnceLock<Telemetry>>,
}

impl LogBridge {
    /// Exports events to `telemetry` from now on. Later calls have no effect.
    pub fn connect(&self, telemetry: Telemetry) {
        let _ = self.telemetry.set(telemetry);
    }
}

impl<S: Subscriber> Layer<S> for LogBridge {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let Some(telemetry) = self.telemetry.get().filter(|telemetry| telemetry.enabled(Signal::Logs)) else { return };
        // Events of the telemetry thread would feed back into the exporter.
        if is_telemetry_thread() {
            return;
        }
        let scope = InstrumentationScope { name: event.metadata().target().to_owned(), ..Default::default() };
        telemetry.record(Origin::host(&scope), Record::Log(&record(event)));
    }
}

fn record(event: &Event<'_>) -> LogRecord {
    let mut fields = Fields::default();
    event.record(&mut fields);
    let (severity, text) = severity(*event.metadata().level());
    let now = unix_nanos(SystemTime::now());
    let mut record = LogRecord {
        time_unix_nano: now,
        observed_time_unix_nano: now,
        severity_number: if fields.critical { CRITICAL } else { severity },
        severity_text: text.to_owned(),
        body: fields.message.map(text_value),
        attributes: fields.attributes,
        ..Default::default()
    };
    if let Some(span) = current().map(|context| context.innermost()).filter(|span| span.is_valid()) {
        record.trace_id = span.trace_id().to_bytes().to_vec();
        record.span_id = span.span_id().to_bytes().to_vec();
        record.flags = u32::from(span.trace_flags().to_u8());
    }
    record
}

fn severity(level: Level) -> (i32, &'static str) {
    match level {
        Level::ERROR => (17, "ERROR"),
        Level::WARN => (13, "WARN"),
        Level::INFO => (9, "INFO"),
        Level::DEBUG => (5, "DEBUG"),
        Level::TRACE => (1, "TRACE"),
    }
}

fn text_value(text: String) -> AnyValue {
    AnyValue { value: Some(Value::StringValue(text)) }
}

/// The fields of an event, as parts of a log record.
#[derive(Default)]
struct Fields {
    message: Option<String>,
    critical: bool,
    attributes: Vec<KeyValue>,
}

impl Fields {
    fn set(&mut self, field: &Field, value: Value) {
        let value = Some(AnyValue { value: Some(value) });
        self.attributes.push(KeyValue { key: field.name().to_owned(), value, ..Default::default() });
    }
}

impl Visit for Fields {
    fn record_bool(&mut self, field: &Field, value: bool) {
        self.critical |= value && field.name() == "critical";
        self.set(field, Value::BoolValue(value));
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.set(field, Value::IntValue(value));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        match i64::try_from(value) {
            Ok(value) => self.set(field, Value::IntValue(value)),
            Err(_) => self.set(field, Value::StringValue(value.to_string())),
        }
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.set(field, Value::DoubleValue(value));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "message" {
            self.message = Some(value.to_owned());
        } else {
            self.set(field, Value::StringValue(value.to_owned()));
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.record_str(field, &format!("{value:?}"));
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use opentelemetry::trace::{SpanContext, TraceFlags, TraceState};
    use opentelemetry::{SpanId, TraceId};
    use tempo_telemetry::{CallContext, Sink, within};
    use tracing_subscriber::layer::SubscriberExt as _;

    use super::*;

    #[derive(Default)]
    struct RecordingSink(Mutex<Vec<(String, LogRecord)>>);

    impl Sink for RecordingSink {
        fn enabled(&self, signal: Signal) -> bool {
            signal == Signal::Logs
        }

        fn record(&self, origin: Origin<'_>, record: Record<'_>) {
            let Record::Log(record) = record else { panic!("{record:?}") };
            self.0.lock().unwrap().push((origin.scope.name.clone(), record.clone()));
        }
    }

    #[test]
    fn an_event_is_a_record_of_its_call() {
        let bridge = LogBridge::default();
        let recorded = Arc::new(RecordingSink::default());
        tracing::subscriber::with_default(tracing_subscriber::registry().with(bridge.clone()), || {
            tracing::info!("not connected yet");
            bridge.connect(Telemetry::builder(recorded.clone()).build());
            let ids = (TraceId::from(10), SpanId::from(11));
            let span = SpanContext::new(ids.0, ids.1, TraceFlags::SAMPLED, false, TraceState::NONE);
            within(Some(&CallContext::new(span, None)), || {
                tracing::error!(target: "guest", component = "app", critical = true, n = -1, big = u64::MAX, "it {}", 1);
            });
            tracing::warn!("of no call");
        });
        let recorded = recorded.0.lock().unwrap();
        let [(scope, record), (_, other)] = recorded.as_slice() else { panic!("{recorded:?}") };
        assert_eq!((scope.as_str(), record.severity_number, record.severity_text.as_str()), ("guest", 21, "ERROR"));
        assert_eq!(record.body, Some(text_value("it 1".to_owned())));
        assert_eq!((record.trace_id.as_slice(), record.flags), (&10_u128.to_be_bytes()[..], 1));
        assert_eq!(record.span_id, 11_u64.to_be_bytes());
        let keys: Vec<&str> = record.attributes.iter().map(|attribute| attribute.key.as_str()).collect();
        assert_eq!(keys, ["component", "critical", "n", "big"]);
        assert_eq!((other.severity_number, other.trace_id.len()), (13, 0));
    }
}
