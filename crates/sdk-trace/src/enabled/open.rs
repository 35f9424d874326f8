//! The spans of `tracing` that are open, and those that are entered.

use std::cell::RefCell;
use std::sync::Mutex;

use opentelemetry::trace::TraceContextExt as _;
use opentelemetry::{Context, ContextGuard};
use tracing::{Id, Metadata};

/// A span of `tracing`: the context that has it as its span, and how many hold it.
struct Open {
    context: Context,
    metadata: &'static Metadata<'static>,
    holders: usize,
}

/// By its identifier less one; a place that is free is used again.
static OPEN: Mutex<Places> = Mutex::new(Places { places: Vec::new(), free: Vec::new() });

struct Places {
    places: Vec<Option<Open>>,
    free: Vec<usize>,
}

thread_local! {
    /// The innermost is the last. Dropping the guard makes the context before it the current one, in whatever order spans are
    /// left.
    static ENTERED: RefCell<Vec<(Id, ContextGuard)>> = const { RefCell::new(Vec::new()) };
}

/// The work in a lock is a few moves, and nothing in it panics: a poisoned one holds what it should.
fn with_open<T>(work: impl FnOnce(&mut Places) -> T) -> T {
    work(&mut OPEN.lock().unwrap_or_else(std::sync::PoisonError::into_inner))
}

impl Places {
    fn at(&mut self, id: &Id) -> Option<&mut Open> {
        self.places.get_mut(place(id))?.as_mut()
    }
}

fn place(id: &Id) -> usize {
    usize::try_from(id.into_u64().saturating_sub(1)).unwrap_or(usize::MAX)
}

/// Keeps a new span.
pub(super) fn insert(context: Context, metadata: &'static Metadata<'static>) -> Id {
    with_open(|open| {
        let span = Some(Open { context, metadata, holders: 1 });
        let place = match open.free.pop() {
            Some(place) => {
                if let Some(free) = open.places.get_mut(place) {
                    *free = span;
                }
                place
            }
            None => {
                open.places.push(span);
                open.places.len() - 1
            }
        };
        Id::from_u64(place as u64 + 1)
    })
}

/// The context of a span.
pub(super) fn context(id: &Id) -> Option<Context> {
    with_open(|open| open.at(id).map(|span| span.context.clone()))
}

/// One more holds the span.
pub(super) fn hold(id: &Id) {
    with_open(|open| {
        if let Some(span) = open.at(id) {
            span.holders = span.holders.saturating_add(1);
        }
    });
}

/// One less holds the span; the last one gets its context.
pub(super) fn release(id: &Id) -> Option<Context> {
    with_open(|open| {
        let span = open.at(id)?;
        span.holders = span.holders.saturating_sub(1);
        if span.holders > 0 {
            return None;
        }
        let place = place(id);
        open.free.push(place);
        open.places.get_mut(place)?.take().map(|span| span.context)
    })
}

/// Makes the span the current one.
pub(super) fn enter(id: &Id) {
    let Some(context) = context(id) else { return };
    let guard = context.attach();
    ENTERED.with_borrow_mut(|entered| entered.push((id.clone(), guard)));
}

/// Undoes the last [`enter`] of this span.
pub(super) fn exit(id: &Id) {
    let left = ENTERED.with_borrow_mut(|entered| {
        let place = entered.iter().rposition(|(other, _)| other == id)?;
        Some(entered.remove(place))
    });
    // Outside of the borrow, as the end of a context may be the end of a span.
    drop(left);
}

/// The innermost span that is entered.
pub(super) fn current() -> Option<(Id, &'static Metadata<'static>)> {
    let id = ENTERED.with_borrow(|entered| entered.last().map(|(id, _)| id.clone()))?;
    let metadata = with_open(|open| open.at(&id).map(|span| span.metadata))?;
    Some((id, metadata))
}

/// Ends all that are open, the youngest first, as nobody else will.
pub(super) fn end_all() {
    let Ok(open) = OPEN.try_lock() else { return };
    let contexts: Vec<_> = open.places.iter().rev().flatten().map(|span| span.context.clone()).collect();
    drop(open);
    for context in contexts {
        context.span().end();
    }
}
