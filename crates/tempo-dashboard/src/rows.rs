//! JSON rows of spans and log lines for the dashboard, encoded once and bounded in size.

use std::fmt::Display;

use opentelemetry::trace::TraceId;
use serde::Serialize;

/// Maximum length of one text, in bytes.
const MAX_TEXT_BYTES: usize = 1024;
/// Maximum length of all texts of a row, in bytes.
const MAX_ROW_TEXT_BYTES: usize = 16 * 1024;
/// Maximum number of attributes, events, attributes of an event, and links, each.
const MAX_ITEMS: usize = 64;

/// A span.
#[derive(Debug, Default, Serialize)]
pub(crate) struct SpanRow {
    pub(crate) trace: String,
    pub(crate) id: String,
    /// The parent span; empty for a root span.
    pub(crate) parent: String,
    /// `host` or `guest` of a Tempo runtime, or `other` for another program.
    pub(crate) from: &'static str,
    /// The `service.name` of another process; empty for this one.
    pub(crate) service: String,
    pub(crate) kind: &'static str,
    pub(crate) name: String,
    /// The name of the instrumentation scope.
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
    /// Links as `trace/span`.
    pub(crate) links: Vec<String>,
    /// True if parts were left out.
    pub(crate) cut: bool,
}

/// An event of a span.
#[derive(Debug, Serialize)]
pub(crate) struct EventRow {
    pub(crate) name: String,
    /// In milliseconds since 1970.
    pub(crate) time: f64,
    pub(crate) attributes: Vec<(String, String)>,
}

/// A log line.
#[derive(Debug, Default, Serialize)]
pub(crate) struct LogRow {
    /// In milliseconds since 1970.
    pub(crate) time: f64,
    /// As in [`SpanRow::service`].
    pub(crate) service: String,
    pub(crate) level: String,
    /// The target or the component.
    pub(crate) target: String,
    pub(crate) message: String,
    /// Empty if the line has no span.
    pub(crate) trace: String,
    pub(crate) span: String,
    pub(crate) attributes: Vec<(String, String)>,
    pub(crate) cut: bool,
}

/// Remaining budget of a row.
pub(crate) struct RowBudget {
    left: usize,
    cut: bool,
}

impl RowBudget {
    pub(crate) fn new() -> Self {
        Self { left: MAX_ROW_TEXT_BYTES, cut: false }
    }

    /// Returns `text`, truncated to the budget.
    pub(crate) fn text(&mut self, text: &str) -> String {
        let kept = text.floor_char_boundary(MAX_TEXT_BYTES.min(self.left));
        self.left = self.left.saturating_sub(kept);
        let whole = kept == text.len();
        self.cut |= !whole;
        let mut written = text.get(..kept).unwrap_or_default().to_owned();
        if !whole {
            written.push('…');
        }
        written
    }

    /// Converts as many of `items` as the budget allows.
    pub(crate) fn items<T, R>(
        &mut self,
        items: impl IntoIterator<Item = T>,
        mut write: impl FnMut(&mut Self, T) -> R,
    ) -> Vec<R> {
        let mut written = Vec::new();
        for item in items {
            if written.len() >= MAX_ITEMS || self.left == 0 {
                self.cut = true;
                break;
            }
            written.push(write(self, item));
        }
        written
    }

    /// Returns whether parts were left out.
    pub(crate) fn is_cut(&self) -> bool {
        self.cut
    }
}

/// Returns a link as `trace/span`.
pub(crate) fn link_text(trace: TraceId, span: impl Display) -> String {
    format!("{trace}/{span}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_cut_at_whole_characters() {
        let mut budget = RowBudget::new();
        assert_eq!(budget.text(&"a".repeat(MAX_TEXT_BYTES)), "a".repeat(MAX_TEXT_BYTES));
        assert!(!budget.is_cut());
        assert_eq!(budget.text(&"é".repeat(MAX_TEXT_BYTES)), "é".repeat(MAX_TEXT_BYTES / 2) + "…");
        assert!(budget.is_cut());
    }

    #[test]
    fn a_row_is_bounded_whatever_is_in_it() {
        let mut budget = RowBudget::new();
        let rows = budget.items(0..1000, |budget, _| budget.text("short"));
        assert_eq!((rows.len(), budget.is_cut()), (MAX_ITEMS, true));
        let mut budget = RowBudget::new();
        let rows = budget.items(0..1000, |budget, _| budget.text(&"x".repeat(10 * MAX_TEXT_BYTES)));
        assert!(rows.concat().len() <= MAX_ROW_TEXT_BYTES + MAX_ITEMS * '…'.len_utf8(), "{}", rows.concat().len());
        assert!(budget.is_cut());
    }
}
