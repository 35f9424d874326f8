//! The trace context of a call into a guest, current while the guest is polled.

use std::cell::RefCell;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use opentelemetry::SpanId;
use opentelemetry::trace::SpanContext;

use super::propagation::{BAGGAGE, TRACEPARENT, TRACESTATE, traceparent};

/// Maximum number of open guest spans that a [`CallContext`] tracks. Further spans are exported but never become the
/// innermost span; their children name them as parents explicitly.
pub const MAX_OPEN_SPANS: usize = 128;

/// The trace context of a call into a guest: the host's span around the call, and the spans that the guest has open.
#[derive(Debug)]
pub struct CallContext {
    span: SpanContext,
    baggage: Option<Arc<str>>,
    open: Mutex<Vec<SpanContext>>,
    span_count: AtomicUsize,
}

thread_local! {
    static CURRENT: RefCell<Option<Arc<CallContext>>> = const { RefCell::new(None) };
}

/// Returns the context of the call that is being polled on this thread, if it has one.
///
/// The context is set only while the guest is polled: a host function that spawns a task must read it before spawning.
pub fn current() -> Option<Arc<CallContext>> {
    CURRENT.with_borrow(Clone::clone)
}

/// Runs `work` with `context` as the [`current`] one.
pub fn within<R>(context: Option<&Arc<CallContext>>, work: impl FnOnce() -> R) -> R {
    let Some(context) = context else { return work() };
    // Restored on drop, because the thread outlives a panic of `work`.
    struct Restore(Option<Arc<CallContext>>);
    impl Drop for Restore {
        fn drop(&mut self) {
            CURRENT.set(self.0.take());
        }
    }
    let _restore = Restore(CURRENT.replace(Some(context.clone())));
    work()
}

impl CallContext {
    /// Creates the context of a call under `span`: the host's own span or, if the host records none, the caller's.
    pub fn new(span: SpanContext, baggage: Option<Arc<str>>) -> Arc<Self> {
        Arc::new(Self { span, baggage, open: Mutex::default(), span_count: AtomicUsize::new(0) })
    }

    /// Creates the context of a call under `span` that this call makes in another component. The baggage goes on.
    #[must_use]
    pub fn child(&self, span: SpanContext) -> Arc<Self> {
        Self::new(span, self.baggage.clone())
    }

    /// Returns the span around the call.
    pub fn outer(&self) -> &SpanContext {
        &self.span
    }

    /// Returns the most recently opened guest span that is still open, or the span around the call if there is none.
    pub fn innermost(&self) -> SpanContext {
        self.open().last().cloned().unwrap_or_else(|| self.span.clone())
    }

    /// Records that the guest opened `span`. Spans of other traces are ignored.
    pub fn opened(&self, span: SpanContext) {
        let mut open = self.open();
        if span.trace_id() == self.span.trace_id() && open.len() < MAX_OPEN_SPANS {
            open.push(span);
        }
    }

    /// Records that the guest closed `span`. Spans may be closed in any order.
    pub fn closed(&self, span: SpanId) {
        let mut open = self.open();
        if let Some(index) = open.iter().rposition(|open| open.span_id() == span) {
            open.remove(index);
        }
    }

    /// Counts one more guest span and returns the new count.
    pub fn count_span(&self) -> usize {
        self.span_count.fetch_add(1, Ordering::Relaxed).saturating_add(1)
    }

    /// Writes the propagation headers of `span`, which is the span around the call or one of its descendants.
    pub fn inject(&self, span: &SpanContext, mut header: impl FnMut(&'static str, &str)) {
        if span.is_valid() {
            header(TRACEPARENT, &traceparent(span));
            let state = span.trace_state().header();
            if !state.is_empty() {
                header(TRACESTATE, &state);
            }
        }
        if let Some(baggage) = &self.baggage {
            header(BAGGAGE, baggage);
        }
    }

    fn open(&self) -> MutexGuard<'_, Vec<SpanContext>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use opentelemetry::TraceId;
    use opentelemetry::trace::{TraceFlags, TraceState};

    fn span(id: u64) -> SpanContext {
        SpanContext::new(TraceId::from(1), SpanId::from(id), TraceFlags::SAMPLED, false, TraceState::NONE)
    }

    #[test]
    fn it_is_current_while_the_work_runs_and_no_longer() {
        let (outer, inner) = (CallContext::new(span(1), None), CallContext::new(span(2), None));
        let id = || current().map(|context| context.outer().span_id());
        within(Some(&outer), || {
            within(Some(&inner), || assert_eq!(id(), Some(SpanId::from(2))));
            let panics = std::panic::catch_unwind(|| within(Some(&inner), || panic!("of a test")));
            assert!(panics.is_err());
            assert_eq!(id(), Some(SpanId::from(1)));
        });
        assert_eq!(id(), None);
    }

    #[test]
    fn open_spans_close_in_any_order_and_are_bounded() {
        let context = CallContext::new(span(1), None);
        (2..5).for_each(|id| context.opened(span(id)));
        context.closed(SpanId::from(3));
        assert_eq!(context.innermost().span_id(), SpanId::from(4));
        context.closed(SpanId::from(4));
        context.closed(SpanId::from(9));
        assert_eq!(context.innermost().span_id(), SpanId::from(2));
        (0..500).for_each(|id| context.opened(span(100 + id)));
        assert_eq!(context.open().len(), MAX_OPEN_SPANS);
    }

    #[test]
    fn headers_name_the_span_and_keep_the_baggage() {
        let context = CallContext::new(span(1), Some("a=b".into()));
        let mut headers = Vec::new();
        context.inject(&span(2), |name, value| headers.push(format!("{name}: {value}")));
        let parent = "traceparent: 00-00000000000000000000000000000001-0000000000000002-01";
        assert_eq!(headers, [parent, "baggage: a=b"]);
    }
}
