//! Spans and log lines as the dashboard is given them: JSON, written once and no longer than a bound, whatever a guest
//! put into them.

use std::fmt::Display;
use std::time::{SystemTime, UNIX_EPOCH};

use opentelemetry::trace::{SpanContext, SpanKind, Status, TraceId};
use opentelemetry::{SpanId, Value};
use serde::Serialize;
use tempo_telemetry::SpanData;

/// A text of a span or a line, in bytes.
const TEXT: usize = 1024;
/// All the texts of a row, in bytes.
const TEXTS: usize = 16 * 1024;
/// Of each: attributes, events, attributes of an event, links.
const ITEMS: usize = 64;

/// A span.
#[derive(Debug, Default, Serialize)]
pub(crate) struct SpanRow {
    pub(crate) trace: String,
    pub(crate) id: String,
    /// The span it is part of; empty if there is none.
    pub(crate) parent: String,
    /// Who made it: `host` and `guest` of this runtime or another, or `other`, which is a program that is no Tempo.
    pub(crate) from: &'static str,
    /// The `service.name` of another process; empty for what this one made.
    pub(crate) service: String,
    pub(crate) kind: &'static str,
    pub(crate) name: String,
    /// The library that made it.
    pub(crate) scope: String,
    /// In milliseconds since 1970.
    pub(crate) start: f64,
    /// In milliseconds.
    pub(crate) duration: f64,
    /// `unset`, `ok` or `error`.
    pub(crate) status: &'static str,
    pub(crate) message: String,
    pub(crate) attributes: Vec<(String, String)>,
    pub(crate) events: Vec<EventRow>,
    /// As `trace/span`.
    pub(crate) links: Vec<String>,
    /// Whether something of it was left out.
    pub(crate) cut: bool,
}

/// What happened during a span.
#[derive(Debug, Serialize)]
pub(crate) struct EventRow {
    pub(crate) name: String,
    /// In milliseconds since 1970.
    pub(crate) time: f64,
    pub(crate) attributes: Vec<(String, String)>,
}

/// A line of a log.
#[derive(Debug, Default, Serialize)]
pub(crate) struct LogRow {
    /// In milliseconds since 1970.
    pub(crate) time: f64,
    /// As in [`SpanRow::service`].
    pub(crate) service: String,
    pub(crate) level: String,
    /// Who wrote it.
    pub(crate) target: String,
    pub(crate) message: String,
    /// Empty if it belongs to none.
    pub(crate) trace: String,
    pub(crate) span: String,
    pub(crate) attributes: Vec<(String, String)>,
    pub(crate) cut: bool,
}

/// A line of a log, on its way to the dashboard.
#[derive(Clone, Debug)]
pub struct LogLine<'a> {
    /// When it was written.
    pub time: SystemTime,
    /// How bad it is: `error`, `warn`, `info`, `debug` or `trace`.
    pub level: &'a str,
    /// Who wrote it: a module of the runtime, or the component.
    pub target: &'a str,
    /// What it says.
    pub message: &'a str,
    /// The span that it belongs to, if any.
    pub span: Option<&'a SpanContext>,
}

/// What may still be written into a row.
pub(crate) struct Room {
    left: usize,
    cut: bool,
}

impl Room {
    pub(crate) fn new() -> Self {
        Self { left: TEXTS, cut: false }
    }

    /// `text`, or as much of it as may be written.
    pub(crate) fn text(&mut self, text: &str) -> String {
        let kept = text.floor_char_boundary(TEXT.min(self.left));
        self.left = self.left.saturating_sub(kept);
        let whole = kept == text.len();
        self.cut |= !whole;
        let mut written = text.get(..kept).unwrap_or_default().to_owned();
        if !whole {
            written.push('…');
        }
        written
    }

    /// As many of `items` as may be written.
    pub(crate) fn items<T, R>(
        &mut self,
        items: impl IntoIterator<Item = T>,
        mut write: impl FnMut(&mut Self, T) -> R,
    ) -> Vec<R> {
        let mut written = Vec::new();
        for item in items {
            if written.len() >= ITEMS || self.left == 0 {
                self.cut = true;
                break;
            }
            written.push(write(self, item));
        }
        written
    }

    /// Whether something was left out.
    pub(crate) fn is_cut(&self) -> bool {
        self.cut
    }
}

/// The row of a span of the host.
pub(crate) fn host(span: &SpanData) -> SpanRow {
    let mut room = Room::new();
    let (status, message) = match &span.status {
        Status::Unset => ("unset", ""),
        Status::Ok => ("ok", ""),
        Status::Error { description } => ("error", &**description),
    };
    let start = millis(span.start);
    SpanRow {
        trace: span.context.trace_id().to_string(),
        id: span.context.span_id().to_string(),
        parent: if span.parent == SpanId::INVALID { String::new() } else { span.parent.to_string() },
        from: "host",
        service: String::new(),
        kind: kind(&span.kind),
        name: room.text(&span.name),
        scope: String::new(),
        start,
        duration: span.end.duration_since(span.start).unwrap_or_default().as_secs_f64() * 1e3,
        status,
        message: room.text(message),
        attributes: room.items(&span.attributes, |room, attribute| {
            (room.text(attribute.key.as_str()), room.text(&text(&attribute.value)))
        }),
        events: Vec::new(),
        links: room.items(&span.links, |_, link| link_text(link.trace_id(), link.span_id())),
        cut: room.is_cut(),
    }
}

/// The row of a line of the runtime's log.
pub(crate) fn line(line: &LogLine<'_>) -> LogRow {
    let mut room = Room::new();
    let ids = line.span.filter(|span| span.is_valid());
    LogRow {
        time: millis(line.time),
        service: String::new(),
        level: room.text(line.level),
        target: room.text(line.target),
        message: room.text(line.message),
        trace: ids.map(|span| span.trace_id().to_string()).unwrap_or_default(),
        span: ids.map(|span| span.span_id().to_string()).unwrap_or_default(),
        attributes: Vec::new(),
        cut: room.is_cut(),
    }
}

pub(crate) fn link_text(trace: TraceId, span: impl Display) -> String {
    format!("{trace}/{span}")
}

fn kind(kind: &SpanKind) -> &'static str {
    match kind {
        SpanKind::Client => "client",
        SpanKind::Server => "server",
        SpanKind::Producer => "producer",
        SpanKind::Consumer => "consumer",
        SpanKind::Internal => "internal",
    }
}

fn text(value: &Value) -> String {
    value.as_str().into_owned()
}

fn millis(time: SystemTime) -> f64 {
    time.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64() * 1e3
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_cut_at_whole_characters() {
        let mut room = Room::new();
        assert_eq!(room.text(&"a".repeat(TEXT)), "a".repeat(TEXT));
        assert!(!room.is_cut());
        assert_eq!(room.text(&"é".repeat(TEXT)), "é".repeat(TEXT / 2) + "…");
        assert!(room.is_cut());
    }

    #[test]
    fn a_row_is_bounded_whatever_is_in_it() {
        let mut room = Room::new();
        let rows = room.items(0..1000, |room, _| room.text("short"));
        assert_eq!((rows.len(), room.is_cut()), (ITEMS, true));
        let mut room = Room::new();
        let rows = room.items(0..1000, |room, _| room.text(&"x".repeat(10 * TEXT)));
        assert!(rows.concat().len() <= TEXTS + ITEMS * '…'.len_utf8(), "{}", rows.concat().len());
        assert!(room.is_cut());
    }
}
