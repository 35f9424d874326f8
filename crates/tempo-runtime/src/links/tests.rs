//! Tests of calls between components, on engines with and without concurrency support.

use std::sync::Arc;

use futures::FutureExt as _;
use tempo_backend::ByteBudget;
use tempo_core::{AppAdmission, AppHandle, Limits, StoreData, WasiCtx, Workload};
use tempo_telemetry::Telemetry;
use wasmtime::component::{Component, Linker, Val};
use wasmtime::{Config, Engine, Store};

use super::*;

/// Exports `acme:pricing/quote`: `price` returns the length of its text times three, and traps for an empty one.
const CALLEE: &str = r#"(component
    (core module $m
        (memory (export "memory") 1)
        (global $next (mut i32) (i32.const 1024))
        (func (export "realloc") (param i32 i32 i32 i32) (result i32)
            (global.get $next)
            (global.set $next (i32.add (global.get $next) (local.get 3))))
        (func (export "price") (param i32 i32) (result i32)
            (if (i32.eqz (local.get 1)) (then unreachable))
            (i32.mul (local.get 1) (i32.const 3))))
    (core instance $i (instantiate $m))
    (func $price (param "item" string) (result u32)
        (canon lift (core func $i "price") (memory (core memory $i "memory")) (realloc (core func $i "realloc"))))
    (instance (export "acme:pricing/quote@1.2.0") (export "price" (func $price))))"#;

/// Imports `acme:pricing/quote`, and exports `total`, which passes its text on and adds one to the price.
const CALLER: &str = r#"(component
    (import "acme:pricing/quote@1.0.0" (instance $quote (export "price" (func (param "item" string) (result u32)))))
    (core module $memory
        (memory (export "memory") 1)
        (global $next (mut i32) (i32.const 1024))
        (func (export "realloc") (param i32 i32 i32 i32) (result i32)
            (global.get $next)
            (global.set $next (i32.add (global.get $next) (local.get 3)))))
    (core instance $memory (instantiate $memory))
    (core func $price (canon lower (func $quote "price") (memory (core memory $memory "memory"))))
    (core module $m
        (import "quote" "price" (func $price (param i32 i32) (result i32)))
        (func (export "total") (param i32 i32) (result i32)
            (i32.add (call $price (local.get 0) (local.get 1)) (i32.const 1))))
    (core instance $i (instantiate $m (with "quote" (instance (export "price" (func $price))))))
    (func (export "total") (param "item" string) (result u32)
        (canon lift (core func $i "total") (memory (core memory $memory "memory")) (realloc (core func $memory "realloc")))))"#;

fn engine(concurrent: bool) -> Engine {
    let mut config = Config::new();
    config.concurrency_support(concurrent);
    Engine::new(&config).unwrap()
}

fn component(engine: &Engine, text: &str) -> Component {
    Component::new(engine, wat::parse_str(text).unwrap()).unwrap()
}

fn linked(
    caller: &Component,
    callee: &Component,
) -> Result<(InterfaceTypes, InterfaceTypes, Vec<LinkedFunction>), String> {
    let import = InterfaceTypes::imported(caller, "acme:pricing/quote").ok_or("no such import")?;
    let export = InterfaceTypes::exported(callee, &import.name).ok_or("no such export")?;
    let functions = matching(caller.engine(), &import, &export)
        .map_err(|mismatches| mismatches.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))?;
    Ok((import, export, functions))
}

fn workload(component: &Component, concurrent: bool, limits: &Limits) -> Workload {
    let pre = Linker::new(component.engine()).instantiate_pre(component).unwrap();
    let (own, bytes) = (limits.clone(), limits.host_memory);
    let data = move || Ok(StoreData::new(WasiCtx::default(), &own, ByteBudget::new(bytes)));
    // The permits of calls that other calls wait for are those of an app.
    let app = AppHandle::new(AppAdmission::new(limits, 1, 0), Telemetry::off(), limits.idle_instances());
    Workload::builder("pricing", pre, data).concurrent(concurrent).limits(limits.clone()).app(app).build()
}

/// Calls `total` with `item`, in a component that is linked to the callee.
async fn total(concurrent: (bool, bool), limits: &Limits, item: &str) -> wasmtime::Result<u32> {
    let (own, other) = (engine(concurrent.0), engine(concurrent.1));
    let (caller, callee) = (component(&own, CALLER), component(&other, CALLEE));
    let (import, export, functions) = linked(&caller, &callee).unwrap();
    let target = Callee::new("pricing", &export.name, &functions);
    let mut linker = Linker::new(&own);
    let link = Link { import: import.name, functions, exporter: 0, callee: target.clone() };
    add_to_linker(&mut linker, &link)?;
    target.start(&workload(&callee, concurrent.1, limits));
    let data = StoreData::new(WasiCtx::default(), limits, ByteBudget::new(limits.host_memory));
    let mut store = Store::new(&own, data);
    let instance = linker.instantiate_async(&mut store, &caller).await?;
    let total = instance.get_func(&mut store, "total").unwrap();
    let mut results = [Val::Bool(false)];
    total.call_async(&mut store, &[Val::String(item.to_owned())], &mut results).await?;
    let [Val::U32(total)] = results else { panic!("{results:?}") };
    Ok(total)
}

const ENGINES: [(bool, bool); 4] = [(false, false), (false, true), (true, false), (true, true)];

#[tokio::test]
async fn a_call_runs_in_another_store() {
    for engines in ENGINES {
        assert_eq!(total(engines, &Limits::default(), "four").await.unwrap(), 13, "{engines:?}");
    }
}

#[tokio::test]
async fn a_trap_of_the_callee_is_a_trap_with_its_name() {
    for engines in ENGINES {
        let trap = total(engines, &Limits::default(), "").await.unwrap_err();
        let text = format!("{trap:#}");
        let expected = "the call of `acme:pricing/quote@1.2.0.price` in the component `pricing` failed: the component trapped: wasm trap: wasm `unreachable` instruction executed";
        assert!(text.contains(expected), "{text}");
    }
}

/// Exports `a:b/c`, whose function `f` traps.
const TRAPPING: &str = r#"(component
    (core module $m (memory (export "memory") 1) (func (export "f") (result i32) unreachable))
    (core instance $i (instantiate $m))
    (func $f (result (result u32 (error string)))
        (canon lift (core func $i "f") (memory (core memory $i "memory"))))
    (instance (export "a:b/c") (export "f" (func $f))))"#;

#[tokio::test]
async fn a_failure_is_an_error_value_if_the_function_has_one() {
    let limits = Limits::default();
    let engine = engine(false);
    let (callee, caller) = (
        component(&engine, TRAPPING),
        r#"(component (import "a:b/c" (instance
        (export "f" (func (result (result u32 (error string))))))))"#,
    );
    let import = InterfaceTypes::imported(&component(&engine, caller), "a:b/c").unwrap();
    let export = InterfaceTypes::exported(&callee, "a:b/c").unwrap();
    let mut functions = matching(&engine, &import, &export).unwrap();
    for returns_errors in [false, true] {
        if returns_errors {
            failure::return_errors(&engine, &import, &mut functions).unwrap();
        }
        let target = Callee::new("pricing", &export.name, &functions);
        target.start(&workload(&callee, false, &limits));
        let data = StoreData::new(WasiCtx::default(), &limits, ByteBudget::new(limits.host_memory));
        let result = target.call(Caller::of(&data), 0, &[], 1).await;
        let message = "the call of `a:b/c.f` in the component `pricing` failed: the component trapped: wasm trap: wasm `unreachable` instruction executed";
        match result {
            Ok(values) => {
                assert!(returns_errors);
                assert_eq!(values, [Val::Result(Err(Some(Box::new(Val::String(message.to_owned())))))]);
            }
            Err(trap) => assert!(!returns_errors && trap.to_string() == message, "{trap}"),
        }
    }
}

#[tokio::test]
async fn arguments_are_part_of_the_budget_of_the_caller() {
    let mut limits = Limits::default();
    limits.host_memory = 1000;
    assert_eq!(total((true, true), &limits, &"x".repeat(400)).await.unwrap(), 1201);
    let trap = total((true, true), &limits, &"x".repeat(500)).await.unwrap_err();
    assert!(format!("{trap:#}").contains("its arguments do not fit"), "{trap:#}");
}

#[test]
fn functions_that_cannot_be_linked_are_listed() {
    let engine = engine(true);
    let callee = component(&engine, CALLEE);
    for (import, expected) in [
        (r#"(export "price" (func (param "item" string) (result u64)))"#, "exported with another type"),
        (r#"(export "price" (func (param "name" string) (result u32)))"#, "exported with another type"),
        (r#"(export "discount" (func (result u32)))"#, "`discount` is imported and not exported"),
        (
            r#"(export "price" (func (param "items" (list (stream u8))) (result u32)))"#,
            "`price` has a stream, which cannot leave its component",
        ),
        (r#"(export "basket" (type (sub resource)))"#, "`basket` has a resource"),
    ] {
        let text = format!(r#"(component (import "acme:pricing/quote@1.0.0" (instance {import})))"#);
        let error = linked(&component(&engine, &text), &callee).unwrap_err();
        assert!(error.contains(expected), "{error}");
    }
    let other = r#"(component (import "acme:pricing/quote@2.0.0" (instance)))"#;
    assert_eq!(linked(&component(&engine, other), &callee).unwrap_err(), "no such export");
}

/// A caller that is dropped ends the call.
#[tokio::test]
async fn dropping_the_caller_ends_the_call() {
    let limits = Limits::default();
    let callee = component(&engine(false), CALLEE);
    let caller = component(&engine(false), CALLER);
    let (_, export, functions) = linked(&caller, &callee).unwrap();
    let target = Callee::new("pricing", &export.name, &functions);
    let workload = workload(&callee, false, &limits);
    target.start(&workload);
    let mut permits = Vec::new();
    while let Some(Ok(permit)) = workload.admission().enter_at(1).now_or_never() {
        permits.push(permit);
    }
    let data = StoreData::new(WasiCtx::default(), &limits, ByteBudget::new(limits.host_memory));
    let bytes = data.bytes.clone();
    let mut call = Box::pin(target.clone().call(Caller::of(&data), 0, &[Val::String("four".to_owned())], 1));
    let pending = futures::poll!(&mut call);
    tokio::task::yield_now().await;
    assert!(pending.is_pending() && bytes.left() < bytes.limit());
    drop(call);
    tokio::task::yield_now().await;
    assert_eq!((bytes.left(), Arc::strong_count(&target)), (bytes.limit(), 1));
}
