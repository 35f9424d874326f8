//! `Instrumented`: records the number of messages of a `LogSink` and the duration of its writes.

use std::sync::Arc;

use tempo_telemetry::{HostCalls, Telemetry};

use crate::{Level, LogSink, Record};

/// Wraps a `LogSink` and records its calls.
struct Instrumented {
    sink: Arc<dyn LogSink>,
    calls: HostCalls,
    telemetry: Telemetry,
}

/// Wraps `sink`, unless telemetry is off.
pub(crate) fn instrument(telemetry: &Telemetry, sink: Arc<dyn LogSink>) -> Arc<dyn LogSink> {
    if !telemetry.is_on() {
        return sink;
    }
    let calls = HostCalls::new(telemetry, "logging");
    Arc::new(Instrumented { sink, calls, telemetry: telemetry.clone() })
}

impl LogSink for Instrumented {
    fn enabled(&self, level: Level) -> bool {
        self.sink.enabled(level)
    }

    fn write(&self, record: &Record<'_>) {
        let call = self.calls.begin("log");
        self.sink.write(record);
        call.end(None);
    }

    fn dropped(&self, component: &str, count: u64) {
        self.telemetry.count_limit_hit("max-log-rate");
        self.sink.dropped(component, count);
    }
}
