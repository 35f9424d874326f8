//! The root span of a call, and the tasks that run under it.

use std::borrow::Cow;
use std::cell::RefCell;
use std::future::{Future, poll_fn};
use std::pin::pin;

use opentelemetry::Context;
use opentelemetry::trace::{SpanKind, TraceContextExt as _, Tracer as _};

use super::pipeline::pipeline;
use super::{call, metrics, pipeline};

/// The root span of a call of the component. Its parent is the host's span.
#[derive(Debug)]
pub struct RootSpan(Context);

thread_local! {
    /// The contexts of the running calls.
    static RUNNING: RefCell<Vec<Context>> = const { RefCell::new(Vec::new()) };
}

impl RootSpan {
    /// Starts the span. `name` is called only if the span is recorded.
    pub fn new(name: impl FnOnce() -> Cow<'static, str>) -> Self {
        pipeline::install();
        let outer = call::outer();
        if call::is_unsampled(&outer) {
            return Self(outer);
        }
        let tracer = &pipeline().tracer;
        let span = tracer.span_builder(name()).with_kind(SpanKind::Internal).start_with_context(tracer, &outer);
        let root = outer.with_span(span);
        RUNNING.with_borrow_mut(|running| running.push(root.clone()));
        Self(root)
    }

    /// Runs `call` in the span, ends the span and exports the metrics.
    pub async fn run<F: Future>(self, call: F) -> F::Output {
        let output = under(self.0.clone(), call).await;
        drop(self);
        metrics::flush_at_end();
        output
    }
}

/// Ends the span, also if the call was cancelled.
impl Drop for RootSpan {
    fn drop(&mut self) {
        let span = self.0.span();
        span.end();
        let id = span.span_context().span_id();
        // Fails only while the thread ends, and the instance with it.
        let _ = RUNNING.try_with(|running| {
            running.borrow_mut().retain(|root| root.span().span_context().span_id() != id);
        });
    }
}

/// Runs `work` in the current context, wherever it is polled. Exports the metrics when `work` ends.
pub fn task<F: Future>(work: F) -> impl Future<Output = F::Output> {
    let context = Context::current();
    async move {
        let output = under(context, work).await;
        metrics::flush_at_end();
        output
    }
}

/// Polls `work` in `context`. Exports the metrics before `work` waits: the instance may not be resumed.
async fn under<F: Future>(context: Context, work: F) -> F::Output {
    let mut work = pin!(work);
    poll_fn(|cx| {
        let attached = context.clone().attach();
        let poll = work.as_mut().poll(cx);
        drop(attached);
        if poll.is_pending() {
            metrics::flush();
        }
        poll
    })
    .await
}

/// Ends the spans of the running calls. After a panic no other code does.
pub(super) fn end_all() {
    let running = RUNNING.try_with(|running| running.try_borrow().map(|running| running.clone()).unwrap_or_default());
    for root in running.unwrap_or_default() {
        root.span().end();
    }
}
