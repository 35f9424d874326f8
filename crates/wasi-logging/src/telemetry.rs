//! A sink that tells how many messages it is given, and how long it takes to write them.

use std::sync::Arc;

use tempo_telemetry::Telemetry;

use crate::{Level, LogSink, Record};

/// Tells of the messages to the sink within it.
struct Told {
    sink: Arc<dyn LogSink>,
    telemetry: Telemetry,
}

/// `sink`, so that it tells of the messages that it is given.
pub(crate) fn told(telemetry: &Telemetry, sink: Arc<dyn LogSink>) -> Arc<dyn LogSink> {
    if !telemetry.is_on() {
        return sink;
    }
    Arc::new(Told { sink, telemetry: telemetry.clone() })
}

impl LogSink for Told {
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
