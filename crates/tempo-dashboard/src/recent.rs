//! `Recent`: the last traces and log lines, in bounded memory, for the dashboard.
//!
//! Rows are numbered. A reader remembers the last number that it has seen and requests later ones, so that a slow
//! reader holds no memory: discarded rows are counted and reported to it.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use opentelemetry::trace::TraceId;
use tempo_telemetry::{Origin, Record, Signal, Sink};
use tokio::sync::watch;

use crate::convert;
use crate::rows::{LogRow, SpanRow};

/// Maximum number of traces.
pub(crate) const MAX_TRACES: usize = 200;
/// Maximum memory of all traces and of one trace, in bytes.
pub(crate) const MAX_TRACES_BYTES: usize = 4 << 20;
const MAX_TRACE_BYTES: usize = 1 << 20;
/// Maximum spans of one trace. Spans of component calls have their own limit: they are few, end last, and connect the
/// others.
const MAX_SPANS_PER_TRACE: usize = 512;
const MAX_CALLS_PER_TRACE: usize = 1024;
/// Maximum number of log lines, and their maximum memory, in bytes.
pub(crate) const MAX_LINES: usize = 1000;
const MAX_LINES_BYTES: usize = 1 << 20;
/// Memory of a row besides its text, in bytes.
const ROW_OVERHEAD: usize = 128;
/// Maximum rows of one kind in a batch.
const MAX_BATCH_ROWS: usize = 256;

/// The last traces and log lines. Clones share them.
#[derive(Clone, Default)]
pub struct Recent {
    inner: Arc<Inner>,
}

#[derive(Default)]
struct Inner {
    rows: Mutex<Rows>,
    last: watch::Sender<u64>,
}

#[derive(Default)]
struct Rows {
    /// The number of the newest row; the first is 1.
    last: u64,
    spans: BTreeMap<u64, Arc<str>>,
    traces: HashMap<TraceId, Trace>,
    /// Oldest first.
    order: VecDeque<TraceId>,
    memory: usize,
    lines: VecDeque<(u64, Arc<str>)>,
    lines_memory: usize,
}

#[derive(Default)]
struct Trace {
    rows: Vec<u64>,
    memory: usize,
    full: bool,
}

/// The rows after a number.
#[derive(Debug, Default)]
pub(crate) struct RowBatch {
    /// JSON objects.
    pub(crate) spans: Vec<Arc<str>>,
    pub(crate) lines: Vec<Arc<str>>,
    /// Number of rows that were discarded.
    pub(crate) lost: u64,
    /// Number of the last row that the batch covers.
    pub(crate) last: u64,
}

impl Recent {
    /// Returns the rows after row `number`, or the first part of them.
    pub(crate) fn after(&self, number: u64) -> RowBatch {
        self.rows().after(number)
    }

    /// Returns a receiver of the newest row's number.
    pub(crate) fn changes(&self) -> watch::Receiver<u64> {
        self.inner.last.subscribe()
    }

    pub(crate) fn add_span(&self, trace: TraceId, span: &SpanRow) {
        let is_call = span.from != "guest" && matches!(span.kind, "server" | "consumer");
        if let Ok(json) = serde_json::to_string(span) {
            self.added(|rows| rows.add_span(trace, is_call, json.into()));
        }
    }

    pub(crate) fn add_line(&self, line: &LogRow) {
        if let Ok(json) = serde_json::to_string(line) {
            self.added(|rows| rows.add_line(json.into()));
        }
    }

    fn added(&self, add: impl FnOnce(&mut Rows)) {
        let last = {
            let mut rows = self.rows();
            add(&mut rows);
            rows.last
        };
        self.inner.last.send_if_modified(|published| std::mem::replace(published, last.max(*published)) < last);
    }

    fn rows(&self) -> MutexGuard<'_, Rows> {
        self.inner.rows.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Sink for Recent {
    fn enabled(&self, signal: Signal) -> bool {
        matches!(signal, Signal::Traces | Signal::Logs)
    }

    fn record(&self, origin: Origin<'_>, record: Record<'_>) {
        let from = if origin.is_host() { "host" } else { "guest" };
        let origin = convert::Origin { from, service: "", scope: &origin.scope.name };
        match record {
            Record::Span(span) => {
                if let Some((trace, row)) = convert::of_span(span, origin) {
                    self.add_span(trace, &row);
                }
            }
            Record::Log(line) => self.add_line(&convert::of_line(line, origin)),
            Record::Metric(_) => {}
        }
    }
}

impl fmt::Debug for Recent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rows = self.rows();
        f.debug_struct("Recent").field("traces", &rows.order.len()).field("lines", &rows.lines.len()).finish()
    }
}

impl Rows {
    fn add_span(&mut self, id: TraceId, is_call: bool, json: Arc<str>) {
        let trace = self.traces.entry(id).or_insert_with(|| {
            self.order.push_back(id);
            Trace::default()
        });
        let most = if is_call { MAX_CALLS_PER_TRACE } else { MAX_SPANS_PER_TRACE };
        let mut json = json;
        if trace.rows.len() >= most || trace.memory + json.len() + ROW_OVERHEAD > MAX_TRACE_BYTES {
            if std::mem::replace(&mut trace.full, true) {
                return;
            }
            json = format!("{{\"trace\":\"{id}\",\"full\":true}}").into();
        }
        let memory = json.len() + ROW_OVERHEAD;
        self.last += 1;
        trace.rows.push(self.last);
        trace.memory += memory;
        self.memory += memory;
        self.spans.insert(self.last, json);
        while (self.order.len() > MAX_TRACES || self.memory > MAX_TRACES_BYTES) && self.forget_trace() {}
    }

    fn forget_trace(&mut self) -> bool {
        let Some(oldest) = self.order.pop_front() else { return false };
        if let Some(trace) = self.traces.remove(&oldest) {
            trace.rows.iter().for_each(|row| drop(self.spans.remove(row)));
            self.memory = self.memory.saturating_sub(trace.memory);
        }
        true
    }

    fn add_line(&mut self, json: Arc<str>) {
        self.last += 1;
        self.lines_memory += json.len() + ROW_OVERHEAD;
        self.lines.push_back((self.last, json));
        while self.lines.len() > MAX_LINES || self.lines_memory > MAX_LINES_BYTES {
            let Some((_, line)) = self.lines.pop_front() else { break };
            self.lines_memory = self.lines_memory.saturating_sub(line.len() + ROW_OVERHEAD);
        }
    }

    fn after(&self, number: u64) -> RowBatch {
        let first = number.saturating_add(1);
        let spans: Vec<_> = self.spans.range(first..).take(MAX_BATCH_ROWS).collect();
        let start = self.lines.partition_point(|(row, _)| *row < first);
        let lines: Vec<_> = self.lines.iter().skip(start).take(MAX_BATCH_ROWS).collect();
        // A full batch of one kind ends at its last row; rows of the other kind beyond that are left for the next
        // batch.
        let mut last = self.last;
        if let (MAX_BATCH_ROWS, Some((row, _))) = (spans.len(), spans.last()) {
            last = last.min(**row);
        }
        if let (MAX_BATCH_ROWS, Some((row, _))) = (lines.len(), lines.last()) {
            last = last.min(*row);
        }
        let spans: Vec<_> = spans.into_iter().filter(|(row, _)| **row <= last).map(|(_, json)| json.clone()).collect();
        let lines: Vec<_> = lines.into_iter().filter(|(row, _)| *row <= last).map(|(_, json)| json.clone()).collect();
        let published = (spans.len() + lines.len()) as u64;
        RowBatch { spans, lines, lost: last.saturating_sub(number).saturating_sub(published), last: last.max(number) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trace(id: u128) -> TraceId {
        TraceId::from(id)
    }

    #[test]
    fn the_oldest_trace_is_dropped_with_all_its_spans() {
        let mut rows = Rows::default();
        for id in 0..=MAX_TRACES as u128 {
            rows.add_span(trace(1 + id), true, "{}".into());
            rows.add_span(trace(1 + id), false, "{}".into());
        }
        assert_eq!((rows.order.len(), rows.traces.len(), rows.spans.len()), (MAX_TRACES, MAX_TRACES, 2 * MAX_TRACES));
        assert_eq!(rows.spans.keys().next(), Some(&3));
        assert_eq!(rows.memory, 2 * MAX_TRACES * (2 + ROW_OVERHEAD));
    }

    #[test]
    fn memory_is_bounded() {
        let mut rows = Rows::default();
        let long: Arc<str> = "x".repeat(20_000).into();
        for number in 0..2_000_u128 {
            rows.add_span(trace(1 + number % 3), number % 5 == 0, long.clone());
            rows.add_line(long.clone());
            assert!(rows.memory <= MAX_TRACES_BYTES && rows.lines_memory <= MAX_LINES_BYTES);
        }
        let held: usize = rows.spans.values().map(|row| row.len() + ROW_OVERHEAD).sum();
        assert_eq!(held, rows.memory);
        assert!(rows.spans.values().any(|row| row.contains("\"full\":true")));
    }

    #[test]
    fn a_trace_that_is_full_still_takes_the_calls_that_hold_it_together() {
        let mut rows = Rows::default();
        for _ in 0..2 * MAX_SPANS_PER_TRACE {
            rows.add_span(trace(1), false, "{}".into());
        }
        assert_eq!(rows.spans.len(), MAX_SPANS_PER_TRACE + 1);
        rows.add_span(trace(1), true, "{\"call\":1}".into());
        assert!(rows.spans.values().any(|row| row.contains("call")));
    }

    #[test]
    fn readers_get_each_row_once_and_the_number_of_lost_rows() {
        let recent = Recent::default();
        for number in 0..700_u64 {
            let line = LogRow { message: number.to_string(), ..LogRow::default() };
            recent.add_line(&line);
            if number % 10 == 0 {
                recent.add_span(trace(1), &SpanRow::default());
            }
        }
        let (mut seen, mut lines, mut spans) = (0, 0, 0);
        loop {
            let batch = recent.after(seen);
            if batch.last == seen {
                break;
            }
            assert_eq!(batch.lost, 0);
            (seen, lines, spans) = (batch.last, lines + batch.lines.len(), spans + batch.spans.len());
        }
        assert_eq!((seen, lines, spans), (770, 700, 70));
        (0..3 * MAX_LINES).for_each(|_| recent.add_line(&LogRow::default()));
        let batch = recent.after(seen);
        assert_eq!(batch.lost, 2 * MAX_LINES as u64);
        assert_eq!(*recent.changes().borrow(), 770 + 3 * MAX_LINES as u64);
        // A number of another run, larger than all of this run.
        assert_eq!(recent.after(1 << 40).last, 1 << 40);
    }
}
