//! Reports a panic, ends the open spans and exports the metrics before the panic ends the instance.

use std::panic::{PanicHookInfo, set_hook, take_hook};

use opentelemetry::logs::{AnyValue, LogRecord as _, Logger as _, Severity};
use opentelemetry::trace::{Status, TraceContextExt as _};
use opentelemetry::{Context, KeyValue};

use super::pipeline::pipeline;
use super::{metrics, open, root};

/// Installs a panic hook that runs after the existing one.
pub(super) fn install() {
    let before = take_hook();
    set_hook(Box::new(move |panic| {
        before(panic);
        // Only if a panic aborts the instance: otherwise the spans end by unwinding, and a panic may be expected.
        if cfg!(panic = "abort") {
            report(panic);
        }
    }));
}

fn report(panic: &PanicHookInfo<'_>) {
    let message = panic.payload_as_str().unwrap_or("no message");
    let context = Context::current();
    let span = context.span();
    let about = vec![KeyValue::new("exception.type", "panic"), KeyValue::new("exception.message", message.to_owned())];
    span.add_event("exception", about);
    span.set_status(Status::error(format!("panicked: {message}")));
    log(panic, message);
    // Ends inner spans first.
    span.end();
    open::end_all();
    root::end_all();
    metrics::flush_at_end();
}

fn log(panic: &PanicHookInfo<'_>, message: &str) {
    let logger = &pipeline().logger;
    let mut record = logger.create_log_record();
    record.set_severity_number(Severity::Fatal);
    record.set_severity_text("FATAL");
    record.set_body(AnyValue::from(format!("panicked: {message}")));
    record.add_attribute("exception.type", "panic");
    record.add_attribute("exception.message", message.to_owned());
    if let Some(place) = panic.location() {
        record.add_attribute("code.file.path", place.file().to_owned());
        record.add_attribute("code.line.number", i64::from(place.line()));
    }
    record.set_timestamp(opentelemetry::time::now());
    logger.emit(record);
}
