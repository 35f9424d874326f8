//! The two formats of log lines, human-readable and JSON. Both have the ids of the current trace and span, if there is one.

use std::fmt::{self, Write as _};

use opentelemetry::trace::SpanContext;
use serde_json::{Map, Value};
use tempo_telemetry::current;
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::fmt::format::{DefaultFields, Format, Writer};
use tracing_subscriber::fmt::time::{FormatTime, SystemTime};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

/// The default format of `tracing`, with the ids at the end.
#[derive(Default)]
pub(crate) struct Human(Format);

/// One JSON object a line: the fields of the event and those of every line.
pub(crate) struct Json;

/// Returns the innermost span of the current call.
fn span() -> Option<SpanContext> {
    current().map(|context| context.innermost()).filter(SpanContext::is_valid)
}

impl<S, N> FormatEvent<S, N> for Human
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
    DefaultFields: for<'a> FormatFields<'a>,
{
    fn format_event(&self, context: &FmtContext<'_, S, N>, mut writer: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let Some(span) = span() else { return self.0.format_event(context, writer, event) };
        let mut line = String::new();
        let ansi = writer.has_ansi_escapes();
        self.0.clone().with_ansi(ansi).format_event(context, Writer::new(&mut line), event)?;
        writeln!(writer, "{} trace_id={} span_id={}", line.trim_end_matches('\n'), span.trace_id(), span.span_id())
    }
}

impl<S, N> FormatEvent<S, N> for Json
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, _: &FmtContext<'_, S, N>, mut writer: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let mut line = Fields(Map::new());
        event.record(&mut line);
        let mut line = line.0;
        // Inserted last, so that no field of an event can replace them.
        insert_origin(&mut line, *event.metadata().level(), event.metadata().target());
        if let Some(span) = span() {
            line.insert("trace_id".to_owned(), span.trace_id().to_string().into());
            line.insert("span_id".to_owned(), span.span_id().to_string().into());
        }
        writeln!(writer, "{}", Value::Object(line))
    }
}

/// Returns the JSON object of a line of the runtime that is no event.
pub(crate) fn json_line(level: Level, message: &str) -> String {
    let mut line = Map::new();
    line.insert("message".to_owned(), message.into());
    insert_origin(&mut line, level, module_path!().split("::").next().unwrap_or_default());
    Value::Object(line).to_string()
}

/// Inserts the time, the level and the target of a line.
fn insert_origin(line: &mut Map<String, Value>, level: Level, target: &str) {
    let mut time = String::new();
    // Writing to a string cannot fail.
    let _ = SystemTime.format_time(&mut Writer::new(&mut time));
    line.insert("timestamp".to_owned(), time.into());
    line.insert("level".to_owned(), level.as_str().into());
    line.insert("target".to_owned(), target.into());
}

/// The fields of an event, by name.
struct Fields(Map<String, Value>);

impl Fields {
    fn set(&mut self, field: &Field, value: Value) {
        self.0.insert(field.name().to_owned(), value);
    }
}

impl Visit for Fields {
    fn record_bool(&mut self, field: &Field, value: bool) {
        self.set(field, value.into());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.set(field, value.into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.set(field, value.into());
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.set(field, value.into());
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.set(field, value.into());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let mut text = String::new();
        let _ = write!(text, "{value:?}");
        self.set(field, text.into());
    }
}

#[cfg(test)]
mod tests {
    use std::io::{self, Write};
    use std::sync::{Arc, Mutex};

    use opentelemetry::trace::{TraceFlags, TraceState};
    use opentelemetry::{SpanId, TraceId};
    use tempo_telemetry::{CallContext, within};
    use tracing_subscriber::fmt::MakeWriter;

    use super::*;

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl MakeWriter<'_> for Lines {
        type Writer = Self;
        fn make_writer(&self) -> Self {
            self.clone()
        }
    }

    /// Returns the log lines of `work`.
    fn log_of(json: bool, work: impl FnOnce()) -> String {
        let lines = Lines::default();
        let builder = tracing_subscriber::fmt().with_writer(lines.clone()).with_ansi(false);
        if json {
            tracing::subscriber::with_default(builder.event_format(Json).finish(), work);
        } else {
            tracing::subscriber::with_default(builder.event_format(Human::default()).finish(), work);
        }
        String::from_utf8(lines.0.lock().unwrap().clone()).unwrap()
    }

    fn in_a_call(work: impl FnOnce()) {
        let (trace, span) = (TraceId::from(10), SpanId::from(11));
        let span = SpanContext::new(trace, span, TraceFlags::SAMPLED, false, TraceState::NONE);
        within(Some(&CallContext::new(span, None)), work);
    }

    #[test]
    fn a_json_line_is_one_object() {
        let line = log_of(true, || {
            in_a_call(|| tracing::warn!(target: "guest", component = "app", n = 3, level = "mine", "two\nlines \"x\""));
        });
        assert_eq!(line.matches('\n').count(), 1);
        let line: Value = serde_json::from_str(&line).unwrap();
        assert_eq!(line["message"], "two\nlines \"x\"");
        assert_eq!((&line["level"], &line["target"]), (&"WARN".into(), &"guest".into()));
        assert_eq!((&line["component"], &line["n"]), (&"app".into(), &3.into()));
        assert_eq!(line["trace_id"], "0000000000000000000000000000000a");
        assert_eq!(line["span_id"], "000000000000000b");
        assert!(line["timestamp"].as_str().unwrap().ends_with('Z'));
    }

    #[test]
    fn a_line_that_is_no_event_has_the_same_form() {
        let line: Value = serde_json::from_str(&json_line(Level::INFO, "two\nlines \"x\"")).unwrap();
        let names: Vec<_> = line.as_object().unwrap().keys().collect();
        assert_eq!(names, ["level", "message", "target", "timestamp"]);
        assert_eq!((&line["message"], &line["level"]), (&"two\nlines \"x\"".into(), &"INFO".into()));
        assert_eq!(line["target"], "tempo_runtime");
        assert!(line["timestamp"].as_str().unwrap().ends_with('Z'));
    }

    #[test]
    fn a_human_line_ends_with_the_ids_of_its_span() {
        let event = || tracing::info!(target: "guest", component = "app", "hello");
        let line = log_of(false, || in_a_call(event));
        let end =
            "INFO guest: hello component=\"app\" trace_id=0000000000000000000000000000000a span_id=000000000000000b\n";
        assert!(line.ends_with(end), "{line}");
        let line = log_of(false, event);
        assert!(line.ends_with("INFO guest: hello component=\"app\"\n"), "{line}");
    }
}
