//! What happened lately: the last traces and log lines, in bounded memory, for the dashboard.
//!
//! Rows are numbered. Who shows them remembers the last number that it has seen and asks for what came after it, so that
//! a slow reader holds nothing: what was forgotten meanwhile is counted and told.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use opentelemetry::trace::TraceId;
use tokio::sync::watch;
use tempo_telemetry::{Record, Signal, Sink, SpanData};

use crate::otlp_rows;
use crate::rows::{self, LogLine, LogRow, SpanRow};

/// How many traces are kept.
pub const TRACES: usize = 200;
/// The memory that they may take, in bytes; what one of them may.
pub const TRACES_MEMORY: usize = 4 << 20;
const TRACE_MEMORY: usize = 1 << 20;
/// The spans of one trace. Those in which a component is called are few, end last, and hold the others together.
const SPANS: usize = 512;
const CALLS: usize = 1024;
/// How many log lines are kept, and the memory that they may take, in bytes.
pub const LINES: usize = 1000;
const LINES_MEMORY: usize = 1 << 20;
/// The memory of a row beside its text.
const OVERHEAD: usize = 128;
/// The rows of one kind that a reader is given at once.
const BATCH: usize = 256;

/// The last traces and log lines. Cheap to clone; all clones are the same.
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
    /// The number of the newest row; the first one is 1.
    last: u64,
    spans: BTreeMap<u64, Arc<str>>,
    traces: HashMap<TraceId, Trace>,
    /// The oldest first.
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

/// What came after a number.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    /// Each is JSON.
    pub(crate) spans: Vec<Arc<str>>,
    pub(crate) lines: Vec<Arc<str>>,
    /// How many came that are no longer there.
    pub(crate) lost: u64,
    /// The number up to which this tells everything.
    pub(crate) last: u64,
}

impl Recent {
    /// Takes a line of the runtime's log.
    pub fn line(&self, line: &LogLine<'_>) {
        self.add_line(&rows::line(line));
    }

    /// What came after row `number`, or the first part of it.
    pub(crate) fn after(&self, number: u64) -> Batch {
        self.rows().after(number)
    }

    /// The number of the newest row, whenever it changes.
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
        self.inner.last.send_if_modified(|told| std::mem::replace(told, last.max(*told)) < last);
    }

    fn rows(&self) -> MutexGuard<'_, Rows> {
        self.inner.rows.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Sink for Recent {
    fn enabled(&self, signal: Signal) -> bool {
        matches!(signal, Signal::Traces | Signal::Logs)
    }

    fn span(&self, span: SpanData) {
        self.add_span(span.context.trace_id(), &rows::host(&span));
    }

    fn record(&self, record: Record<'_>) {
        match record.signal {
            Signal::Traces => {
                if let Some((trace, row)) = otlp_rows::guest_span(&record) {
                    self.add_span(trace, &row);
                }
            }
            Signal::Logs => {
                if let Some(row) = otlp_rows::guest_line(&record) {
                    self.add_line(&row);
                }
            }
            Signal::Metrics => {}
        }
    }

    fn reserves(&self, _: &str) -> bool {
        false
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
        let most = if is_call { CALLS } else { SPANS };
        let mut json = json;
        if trace.rows.len() >= most || trace.memory + json.len() + OVERHEAD > TRACE_MEMORY {
            if std::mem::replace(&mut trace.full, true) {
                return;
            }
            json = format!("{{\"trace\":\"{id}\",\"full\":true}}").into();
        }
        let memory = json.len() + OVERHEAD;
        self.last += 1;
        trace.rows.push(self.last);
        trace.memory += memory;
        self.memory += memory;
        self.spans.insert(self.last, json);
        while (self.order.len() > TRACES || self.memory > TRACES_MEMORY) && self.forget_trace() {}
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
        self.lines_memory += json.len() + OVERHEAD;
        self.lines.push_back((self.last, json));
        while self.lines.len() > LINES || self.lines_memory > LINES_MEMORY {
            let Some((_, line)) = self.lines.pop_front() else { break };
            self.lines_memory = self.lines_memory.saturating_sub(line.len() + OVERHEAD);
        }
    }

    fn after(&self, number: u64) -> Batch {
        let first = number.saturating_add(1);
        let spans: Vec<_> = self.spans.range(first..).take(BATCH).collect();
        let start = self.lines.partition_point(|(row, _)| *row < first);
        let lines: Vec<_> = self.lines.iter().skip(start).take(BATCH).collect();
        // Of a kind of which there may be more, what comes after is not yet told, so nothing of the other kind is either.
        let mut last = self.last;
        if let (BATCH, Some((row, _))) = (spans.len(), spans.last()) {
            last = last.min(**row);
        }
        if let (BATCH, Some((row, _))) = (lines.len(), lines.last()) {
            last = last.min(*row);
        }
        let spans: Vec<_> = spans.into_iter().filter(|(row, _)| **row <= last).map(|(_, json)| json.clone()).collect();
        let lines: Vec<_> = lines.into_iter().filter(|(row, _)| *row <= last).map(|(_, json)| json.clone()).collect();
        let told = (spans.len() + lines.len()) as u64;
        Batch { spans, lines, lost: last.saturating_sub(number).saturating_sub(told), last: last.max(number) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trace(id: u128) -> TraceId {
        TraceId::from(id)
    }

    #[test]
    fn the_oldest_trace_goes_with_all_its_spans() {
        let mut rows = Rows::default();
        for id in 0..=TRACES as u128 {
            rows.add_span(trace(1 + id), true, "{}".into());
            rows.add_span(trace(1 + id), false, "{}".into());
        }
        assert_eq!((rows.order.len(), rows.traces.len(), rows.spans.len()), (TRACES, TRACES, 2 * TRACES));
        assert_eq!(rows.spans.keys().next(), Some(&3));
        assert_eq!(rows.memory, 2 * TRACES * (2 + OVERHEAD));
    }

    #[test]
    fn memory_is_bounded_whatever_comes() {
        let mut rows = Rows::default();
        let long: Arc<str> = "x".repeat(20_000).into();
        for number in 0..2_000_u128 {
            rows.add_span(trace(1 + number % 3), number % 5 == 0, long.clone());
            rows.add_line(long.clone());
            assert!(rows.memory <= TRACES_MEMORY && rows.lines_memory <= LINES_MEMORY);
        }
        let held: usize = rows.spans.values().map(|row| row.len() + OVERHEAD).sum();
        assert_eq!(held, rows.memory);
        assert!(rows.spans.values().any(|row| row.contains("\"full\":true")));
    }

    #[test]
    fn a_trace_that_is_full_still_takes_the_calls_that_hold_it_together() {
        let mut rows = Rows::default();
        for _ in 0..2 * SPANS {
            rows.add_span(trace(1), false, "{}".into());
        }
        assert_eq!(rows.spans.len(), SPANS + 1);
        rows.add_span(trace(1), true, "{\"call\":1}".into());
        assert!(rows.spans.values().any(|row| row.contains("call")));
    }

    #[test]
    fn readers_get_everything_once_and_are_told_what_they_missed() {
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
        (0..3 * LINES).for_each(|_| recent.add_line(&LogRow::default()));
        let batch = recent.after(seen);
        assert_eq!(batch.lost, 2 * LINES as u64);
        assert_eq!(*recent.changes().borrow(), 770 + 3 * LINES as u64);
        // A number of another run, which is beyond ours.
        assert_eq!(recent.after(1 << 40).last, 1 << 40);
    }
}
