//! The open spans of `tracing`, and the stack of entered spans.

use std::cell::RefCell;
use std::sync::Mutex;

use opentelemetry::trace::TraceContextExt as _;
use opentelemetry::{Context, ContextGuard};
use tracing::{Id, Metadata};

/// An open span of `tracing`: its OpenTelemetry context, and its number of references.
struct OpenSpan {
    context: Context,
    metadata: &'static Metadata<'static>,
    references: usize,
}

/// The open spans; the index is the span's ID minus 1. Free slots are reused.
static OPEN_SPANS: Mutex<OpenSpans> = Mutex::new(OpenSpans { slots: Vec::new(), free: Vec::new() });

struct OpenSpans {
    slots: Vec<Option<OpenSpan>>,
    free: Vec<usize>,
}

thread_local! {
    /// The entered spans, the innermost last. Dropping the guard restores the previous context, in any order of exits.
    static ENTERED: RefCell<Vec<(Id, ContextGuard)>> = const { RefCell::new(Vec::new()) };
}

/// Runs `work` under the lock. `work` cannot panic half-way, so the data behind a poisoned lock is consistent.
fn with_open<T>(work: impl FnOnce(&mut OpenSpans) -> T) -> T {
    work(&mut OPEN_SPANS.lock().unwrap_or_else(std::sync::PoisonError::into_inner))
}

impl OpenSpans {
    fn get_mut(&mut self, id: &Id) -> Option<&mut OpenSpan> {
        self.slots.get_mut(index(id))?.as_mut()
    }
}

fn index(id: &Id) -> usize {
    usize::try_from(id.into_u64().saturating_sub(1)).unwrap_or(usize::MAX)
}

/// Adds a new span with one reference.
pub(super) fn insert(context: Context, metadata: &'static Metadata<'static>) -> Id {
    with_open(|open| {
        let span = Some(OpenSpan { context, metadata, references: 1 });
        let index = match open.free.pop() {
            Some(index) => {
                if let Some(slot) = open.slots.get_mut(index) {
                    *slot = span;
                }
                index
            }
            None => {
                open.slots.push(span);
                open.slots.len() - 1
            }
        };
        Id::from_u64(index as u64 + 1)
    })
}

/// Returns the context of the span `id`.
pub(super) fn context(id: &Id) -> Option<Context> {
    with_open(|open| open.get_mut(id).map(|span| span.context.clone()))
}

/// Adds a reference to the span `id`.
pub(super) fn add_reference(id: &Id) {
    with_open(|open| {
        if let Some(span) = open.get_mut(id) {
            span.references = span.references.saturating_add(1);
        }
    });
}

/// Removes a reference from the span `id`. Returns the context if it was the last one.
pub(super) fn remove_reference(id: &Id) -> Option<Context> {
    with_open(|open| {
        let span = open.get_mut(id)?;
        span.references = span.references.saturating_sub(1);
        if span.references > 0 {
            return None;
        }
        let index = index(id);
        open.free.push(index);
        open.slots.get_mut(index)?.take().map(|span| span.context)
    })
}

/// Makes the span `id` the current one.
pub(super) fn enter(id: &Id) {
    let Some(context) = context(id) else { return };
    let guard = context.attach();
    ENTERED.with_borrow_mut(|entered| entered.push((id.clone(), guard)));
}

/// Undoes the last [`enter`] of the span `id`.
pub(super) fn exit(id: &Id) {
    let left = ENTERED.with_borrow_mut(|entered| {
        let index = entered.iter().rposition(|(other, _)| other == id)?;
        Some(entered.remove(index))
    });
    // Dropped outside the borrow: the end of a context may end a span.
    drop(left);
}

/// Returns the innermost entered span.
pub(super) fn current() -> Option<(Id, &'static Metadata<'static>)> {
    let id = ENTERED.with_borrow(|entered| entered.last().map(|(id, _)| id.clone()))?;
    let metadata = with_open(|open| open.get_mut(&id).map(|span| span.metadata))?;
    Some((id, metadata))
}

/// Ends all open spans, the youngest first. After a panic no other code does.
pub(super) fn end_all() {
    let Ok(open) = OPEN_SPANS.try_lock() else { return };
    let contexts: Vec<_> = open.slots.iter().rev().flatten().map(|span| span.context.clone()).collect();
    drop(open);
    for context in contexts {
        context.span().end();
    }
}
