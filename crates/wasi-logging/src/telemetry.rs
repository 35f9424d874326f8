//! `Instrumented`: records the number of messages of a `LogSink` and the duration of its writes.

use std::sync::Arc;

use tempo_telemetry::Telemetry;

use crate::{Level, LogSink, Record};

/// Wraps a `LogSink` and records its calls.
struct Instrumented {
    sink: Arc<dyn LogSink>,
    telemetry: Telemetry,
}

/// Wraps `sink`, unless telemetry is off.
pub(crate) fn instrument(telemetry: &Telemetry, sink: Arc<dyn LogSink>) -> Arc<dyn LogSink> {
    if !telemetry.is_on() {
        return sink;
    }
    Arc::new(Instrumented { sink, telemetry: telemetry.clone() })
}

impl LogSink for Instrumented {
    fn enabled(&self, level: Level) -> bool {
        self.sink.enabled(level)
    }

    fn write(&self, record: &Record<'_>) {
        let call = self.telemetry.host_call("logging", "log");
        self.sink.write(record);
        call.end(None);
    }

    fn dropped(&self, component: &str, count: u64) {
        self.telemetry.count_limit_hit("max-log-rate");
        self.sink.dropped(component, count);
    }
}
