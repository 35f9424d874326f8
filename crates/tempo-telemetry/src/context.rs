//! The context of a call into a guest: what whatever happens during the call belongs to.

use std::cell::RefCell;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use opentelemetry::SpanId;
use opentelemetry::trace::SpanContext;

use super::propagation::{BAGGAGE, TRACEPARENT, TRACESTATE, traceparent};

/// How many spans a guest may have open at once. Those beyond are not followed, which their children do not mind: a span
/// names its own parent.
pub const MAX_OPEN_SPANS: usize = 128;

/// What a call into a guest belongs to: the host's span around it, and the spans that the guest has open.
#[derive(Debug)]
pub struct CallContext {
    span: SpanContext,
    baggage: Option<Arc<str>>,
    open: Mutex<Vec<SpanContext>>,
    spans: AtomicUsize,
}

thread_local! {
    static CURRENT: RefCell<Option<Arc<CallContext>>> = const { RefCell::new(None) };
}

/// The context of the guest that runs on this thread right now, if its call has one.
///
/// It is set while a guest is polled and no longer: a host function that goes on in a task of its own asks before it
/// makes the task.
pub fn current() -> Option<Arc<CallContext>> {
    CURRENT.with_borrow(Clone::clone)
}

/// Does `work` with `context` as the [`current`] one.
pub fn within<R>(context: Option<&Arc<CallContext>>, work: impl FnOnce() -> R) -> R {
    let Some(context) = context else { return work() };
    // Put back even if `work` panics, as the thread lives on.
    struct Restore(Option<Arc<CallContext>>);
    impl Drop for Restore {
        fn drop(&mut self) {
            CURRENT.set(self.0.take());
        }
    }
    let _restore = Restore(CURRENT.replace(Some(context.clone())));
    work()
}

/// Does `work` with `context` as the [`current`] one whenever it is polled. It comes pinned, as it would be copied otherwise.
pub async fn scope<R>(context: Option<Arc<CallContext>>, mut work: impl Future<Output = R> + Unpin) -> R {
    poll_fn(|cx| within(context.as_ref(), || Pin::new(&mut work).poll(cx))).await
}

impl CallContext {
    /// The context of a call under `span`, which is the host's own or, if nothing is recorded here, the caller's.
    pub fn new(span: SpanContext, baggage: Option<Arc<str>>) -> Arc<Self> {
        Arc::new(Self { span, baggage, open: Mutex::default(), spans: AtomicUsize::new(0) })
    }

    /// The span around the call.
    pub fn outer(&self) -> &SpanContext {
        &self.span
    }

    /// The span that the guest has opened last of those that are still open; without one, the span around the call.
    pub fn innermost(&self) -> SpanContext {
        self.open().last().cloned().unwrap_or_else(|| self.span.clone())
    }

    /// Takes note that the guest has opened `span`. What belongs to another trace is no part of this call's.
    pub fn opened(&self, span: SpanContext) {
        let mut open = self.open();
        if span.trace_id() == self.span.trace_id() && open.len() < MAX_OPEN_SPANS {
            open.push(span);
        }
    }

    /// Takes note that the guest has closed `span`, in whatever order.
    pub fn closed(&self, span: SpanId) {
        let mut open = self.open();
        if let Some(place) = open.iter().rposition(|open| open.span_id() == span) {
            open.remove(place);
        }
    }

    /// Counts one more span of the guest, and says how many that makes.
    pub fn count_span(&self) -> usize {
        self.spans.fetch_add(1, Ordering::Relaxed).saturating_add(1)
    }

    /// Writes the headers that make `span`, which is this call's or one under it, the parent of what is asked of others.
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
