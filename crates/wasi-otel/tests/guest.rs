//! Components with the imports of the tag of `wasi:otel` and of its main branch, which differ under one version: each
//! reads the host's span through its own function. `tests/integration` runs a complete guest.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(missing_docs, reason = "a macro makes public items")]

use std::sync::Arc;

use opentelemetry::trace::{SpanContext, TraceFlags, TraceState};
use opentelemetry::{SpanId, TraceId};
use tempo_core::{Limits, Provide, Service as _};
use tempo_telemetry::{CallContext, within};
use tempo_wasi_otel::conformance::Recorder;
use tempo_wasi_otel::{OtelCtx, OtelView, WasiOtel};
use wasmtime::component::{Component, ComponentType, Lift, Linker};
use wasmtime::{Config, Engine, Result, Store};

struct StoreData(OtelCtx);

impl Provide<WasiOtel> for StoreData {
    fn provide(&mut self) -> OtelView<'_> {
        self.0.view()
    }
}

/// A component that exports, as `ask`, the function of `wasi:otel/tracing` that it imports.
fn asks(function: &str) -> String {
    let context = |flags: &str| {
        format!(
            r#"(record (field "trace-id" string) (field "span-id" string) (field "trace-flags" {flags})
                (field "is-remote" bool) (field "trace-state" (list (tuple string string))))"#
        )
    };
    let (imported, exported) = (context("$flags"), context("$flags2"));
    format!(
        r#"(component
            (import "wasi:otel/tracing@0.2.0-rc.2" (instance $tracing
                (type $raw-flags (flags "sampled"))
                (export "trace-flags" (type $flags (eq $raw-flags)))
                (type $raw {imported})
                (export "span-context" (type $context (eq $raw)))
                (export "{function}" (func (result $context)))
            ))
            (core module $memory
                (memory (export "memory") 1)
                (global $next (mut i32) (i32.const 1024))
                (func (export "realloc") (param i32 i32 i32 i32) (result i32)
                    (local $at i32)
                    (local.set $at (i32.and (i32.add (global.get $next) (i32.const 7)) (i32.const -8)))
                    (global.set $next (i32.add (local.get $at) (local.get 3)))
                    (local.get $at)))
            (core instance $memory (instantiate $memory))
            (alias core export $memory "memory" (core memory $mem))
            (alias core export $memory "realloc" (core func $realloc))
            (core func $ask (canon lower (func $tracing "{function}") (memory $mem) (realloc $realloc)))
            (core module $main
                (import "tracing" "ask" (func $ask (param i32)))
                (func (export "ask") (result i32) (call $ask (i32.const 16)) (i32.const 16)))
            (core instance $main (instantiate $main (with "tracing" (instance (export "ask" (func $ask))))))
            (type $raw-flags2 (flags "sampled"))
            (export $flags2 "flags" (type $raw-flags2))
            (type $raw2 {exported})
            (export $context2 "context" (type $raw2))
            (func $ask2 (result $context2) (canon lift (core func $main "ask") (memory $mem) (realloc $realloc)))
            (export "ask" (func $ask2))
        )"#
    )
}

wasmtime::component::flags! {
    Flags {
        #[component(name = "sampled")]
        const SAMPLED;
    }
}

#[derive(Debug, PartialEq, ComponentType, Lift)]
#[component(record)]
struct Context {
    #[component(name = "trace-id")]
    trace_id: String,
    #[component(name = "span-id")]
    span_id: String,
    #[component(name = "trace-flags")]
    trace_flags: Flags,
    #[component(name = "is-remote")]
    is_remote: bool,
    #[component(name = "trace-state")]
    trace_state: Vec<(String, String)>,
}

fn ask(engine: &Engine, function: &str, call: Option<&Arc<CallContext>>) -> Result<Context> {
    let mut linker = Linker::new(engine);
    WasiOtel::add_to_linker(&mut linker)?;
    let component = Component::new(engine, wat::parse_str(asks(function))?)?;
    let state = OtelCtx::new(Arc::new(Recorder::default()), &Limits::default());
    let mut store = Store::new(engine, StoreData(state));
    let instance = linker.instantiate(&mut store, &component)?;
    let ask = instance.get_typed_func::<(), (Context,)>(&mut store, "ask")?;
    within(call, || Ok(ask.call(&mut store, ())?.0))
}

#[test]
fn both_ways_to_ask_for_the_span_of_the_host_link_on_every_engine() {
    let span = |id: u64| {
        let state = TraceState::from_key_value([("vendor", "1")]).unwrap();
        SpanContext::new(TraceId::from(7), SpanId::from(id), TraceFlags::SAMPLED, true, state)
    };
    let expected = |id: u64| Context {
        trace_id: format!("{:032x}", 7),
        span_id: format!("{id:016x}"),
        trace_flags: Flags::SAMPLED,
        is_remote: true,
        trace_state: vec![("vendor".to_owned(), "1".to_owned())],
    };
    let call = CallContext::new(span(1), None);
    call.opened(span(2));
    for concurrency in [false, true] {
        let mut config = Config::new();
        config.wasm_component_model_async(concurrency).concurrency_support(concurrency);
        let engine = Engine::new(&config).unwrap();
        assert_eq!(ask(&engine, "outer-span-context", Some(&call)).unwrap(), expected(1));
        assert_eq!(ask(&engine, "current-span-context", Some(&call)).unwrap(), expected(2));
    }
}

#[test]
fn without_a_call_there_is_no_span() {
    for function in ["outer-span-context", "current-span-context"] {
        let none = ask(&Engine::default(), function, None).unwrap();
        assert_eq!((none.trace_id, none.span_id), ("0".repeat(32), "0".repeat(16)));
        assert_eq!((none.trace_flags, none.trace_state), (Flags::default(), vec![]));
    }
}
