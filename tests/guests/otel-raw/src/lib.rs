//! Calls `wasi:otel` without an SDK: passes on the test's records unchanged.

mod bindings {
    #![allow(missing_docs, unsafe_code, unreachable_pub, clippy::all, reason = "generated code")]
    wit_bindgen::generate!({
        path: ["../../../wit/otel", "wit"],
        world: "test:otel-raw/raw",
        generate_all,
    });
    use super::Raw;
    export!(Raw);
}

#[path = "../../../../crates/wasi-otel/src/conformance/given.rs"]
mod given;

use bindings::wasi::otel::logs::{LogRecord, on_emit};
use bindings::wasi::otel::metrics::{ResourceMetrics, export};
use bindings::wasi::otel::tracing::{SpanContext, current_span_context, on_end, on_start, outer_span_context};
use bindings::{Guest, Step};

struct Raw;

impl Guest for Raw {
    fn replay(steps: Vec<Step>) -> Vec<SpanContext> {
        let step = |step| {
            match step {
                Step::Start(context) => on_start(&context),
                Step::End(span) => on_end(&span),
            }
            current_span_context()
        };
        steps.into_iter().map(step).collect()
    }

    fn suite() -> Result<(), String> {
        let outer = outer_span_context();
        for span in given::spans(&outer) {
            on_start(&span.span_context);
            on_end(&span);
        }
        given::logs(&outer).iter().for_each(on_emit);
        export(&given::metrics(&outer))
    }

    fn outer() -> SpanContext {
        outer_span_context()
    }

    fn meter(metrics: ResourceMetrics) -> Result<(), String> {
        export(&metrics)
    }

    fn emit(records: Vec<LogRecord>) {
        records.iter().for_each(on_emit);
    }
}
