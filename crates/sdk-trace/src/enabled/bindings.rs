//! Bindings of `wasi:otel@0.2.0-rc.2`, generated from `wit/otel`: with borrowed arguments for spans, which are frequent
//! and have many strings, and with owned ones for metrics and logs, whose lists are nested.
#![allow(missing_docs, unsafe_code, unreachable_pub, clippy::all, clippy::pedantic, reason = "generated code")]

mod borrowed {
    wit_bindgen::generate!({
        path: "wit",
        world: "imports",
        generate_all,
        ownership: Borrowing { duplicate_if_necessary: true },
    });
}

mod owned {
    wit_bindgen::generate!({ path: "wit", world: "imports", generate_all, type_section_suffix: "owned" });
}

pub(super) use borrowed::wasi::clocks::wall_clock::Datetime as BorrowedDatetime;
pub(super) use borrowed::wasi::otel::tracing as spans;
pub(super) use borrowed::wasi::otel::types as span_types;
pub(super) use owned::wasi::clocks::wall_clock::Datetime;
pub(super) use owned::wasi::otel::tracing::TraceFlags;
pub(super) use owned::wasi::otel::{logs, metrics, types};
