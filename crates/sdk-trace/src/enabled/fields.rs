//! Converts fields of `tracing` to attributes of OpenTelemetry.

use std::error::Error;
use std::fmt::Debug;

use opentelemetry::logs::AnyValue;
use opentelemetry::trace::{SpanKind, Status};
use opentelemetry::{KeyValue, Value};
use tracing::field::{Field, Visit};

/// The fields of a span. Some names are not attributes: they set the span's name, kind or status, as in
/// `tracing-opentelemetry`.
#[derive(Default)]
pub(super) struct SpanFields {
    pub(super) attributes: Vec<KeyValue>,
    /// `otel.name`
    pub(super) name: Option<String>,
    /// `otel.kind`
    pub(super) kind: Option<SpanKind>,
    /// `otel.status_code` and `otel.status_description`
    pub(super) status: Option<Status>,
}

impl SpanFields {
    /// Creates fields with a capacity of `fields` attributes.
    pub(super) fn with_capacity(fields: usize) -> Self {
        Self { attributes: Vec::with_capacity(fields), ..Self::default() }
    }

    fn set(&mut self, field: &Field, value: impl Into<Value>) {
        self.attributes.push(KeyValue::new(field.name(), value));
    }

    fn set_text(&mut self, field: &Field, text: String) {
        match field.name() {
            "otel.name" => self.name = Some(text),
            "otel.kind" => self.kind = kind(&text),
            "otel.status_code" => self.set_status(&text),
            "otel.status_description" => self.status = Some(Status::error(text)),
            _ => self.set(field, text),
        }
    }

    /// Sets the status from its code. A description implies an error, so the code does not overwrite it.
    fn set_status(&mut self, code: &str) {
        match code {
            _ if self.status.is_some() => {}
            code if code.eq_ignore_ascii_case("ok") => self.status = Some(Status::Ok),
            code if code.eq_ignore_ascii_case("error") => self.status = Some(Status::error("")),
            _ => {}
        }
    }
}

fn kind(text: &str) -> Option<SpanKind> {
    let kinds = [
        ("server", SpanKind::Server),
        ("client", SpanKind::Client),
        ("producer", SpanKind::Producer),
        ("consumer", SpanKind::Consumer),
        ("internal", SpanKind::Internal),
    ];
    kinds.into_iter().find(|(name, _)| text.eq_ignore_ascii_case(name)).map(|(_, kind)| kind)
}

impl Visit for SpanFields {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.set_text(field, format!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.set_text(field, value.to_owned());
    }

    fn record_error(&mut self, field: &Field, value: &(dyn Error + 'static)) {
        self.set_text(field, value.to_string());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.set(field, value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.set(field, value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        match i64::try_from(value) {
            Ok(value) => self.set(field, value),
            Err(_) => self.set(field, value.to_string()),
        }
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.set(field, value);
    }
}

/// The fields of an event: the message and the attributes.
#[derive(Default)]
pub(super) struct EventFields {
    pub(super) message: Option<String>,
    pub(super) attributes: Vec<(&'static str, AnyValue)>,
}

impl EventFields {
    fn set(&mut self, field: &Field, value: impl Into<AnyValue>) {
        self.attributes.push((field.name(), value.into()));
    }

    fn set_text(&mut self, field: &Field, text: String) {
        match field.name() {
            "message" => self.message = Some(text),
            _ => self.set(field, text),
        }
    }
}

impl Visit for EventFields {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.set_text(field, format!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.set_text(field, value.to_owned());
    }

    fn record_error(&mut self, field: &Field, value: &(dyn Error + 'static)) {
        self.set_text(field, value.to_string());
    }

    fn record_bytes(&mut self, field: &Field, value: &[u8]) {
        self.set(field, AnyValue::Bytes(Box::new(value.to_vec())));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.set(field, value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.set(field, value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        match i64::try_from(value) {
            Ok(value) => self.set(field, value),
            Err(_) => self.set(field, value.to_string()),
        }
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.set(field, value);
    }
}
