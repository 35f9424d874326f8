//! A component with async functions uses `wasmcloud:keyvalue`.

use std::sync::Arc;

use tempo_backend::Backends;
use tempo_core::{Limits, Provide, Service as _};
use tempo_wasi_keyvalue::{Condition, KeyValueCtx, KeyValueStore, KeyValueView, MemoryStore, WasiKeyValue};
use wasmtime::component::{Component, Linker, ResourceTable};
use wasmtime::{Config, Engine, Result};

/// `count` opens `name` and adds to the number under `key`. It answers with the case of `open`'s error, if there is one,
/// or else with 100 and the case of `increment`'s, or else with 1000 and the sum. `lock` writes its key as its value if
/// there is none, for `ttl` milliseconds unless that is negative, and answers likewise, with 1000 if it did.
const COUNTER: &str = r#"(component
    (import "wasmcloud:keyvalue/types@0.2.0" (instance $types
        (export "bucket" (type $bucket (sub resource)))
        (type $raw (variant
            (case "no-such-store") (case "access-denied") (case "invalid-argument") (case "precondition-failed")
            (case "timeout") (case "store-unavailable") (case "quota-exceeded") (case "other" string)))
        (export "error" (type $error (eq $raw)))
        (type $raw_options (record (field "ttl-ms" (option u64)) (field "if-not-exists" bool)))
        (export "set-options" (type $options (eq $raw_options)))
        (export "[method]bucket.set" (func async (param "self" (borrow $bucket)) (param "key" string)
            (param "value" (list u8)) (param "options" (option $options)) (result (result (error $error)))))
    ))
    (alias export $types "bucket" (type $bucket))
    (alias export $types "error" (type $error))
    (import "wasmcloud:keyvalue/store@0.2.0" (instance $store
        (alias outer 1 $bucket (type $outer_bucket))
        (export "bucket" (type $bucket (eq $outer_bucket)))
        (alias outer 1 $error (type $outer_error))
        (export "error" (type $error (eq $outer_error)))
        (export "open" (func async (param "identifier" string) (result (result (own $bucket) (error $error)))))
    ))
    (import "wasmcloud:keyvalue/atomics@0.2.0" (instance $atomics
        (alias outer 1 $bucket (type $outer_bucket))
        (export "bucket" (type $bucket (eq $outer_bucket)))
        (alias outer 1 $error (type $outer_error))
        (export "error" (type $error (eq $outer_error)))
        (export "increment" (func async (param "bucket" (borrow $bucket)) (param "key" string) (param "delta" s64)
            (result (result s64 (error $error)))))
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
    (core func $open (canon lower (func $store "open") (memory $mem) (realloc $realloc)))
    (core func $increment (canon lower (func $atomics "increment") (memory $mem) (realloc $realloc)))
    (core func $set (canon lower (func $types "[method]bucket.set") (memory $mem) (realloc $realloc)))
    (core module $main
        (import "host" "memory" (memory 1))
        (import "host" "open" (func $open (param i32 i32 i32)))
        (import "host" "increment" (func $increment (param i32 i32 i32 i64 i32)))
        (import "host" "set" (func $set (param i32 i32 i32 i32 i32 i32 i32 i64 i32 i32)))
        (func (export "lock") (param $name i32) (param $name_length i32)
            (param $key i32) (param $key_length i32) (param $ttl i64) (result i64)
            (call $open (local.get $name) (local.get $name_length) (i32.const 64))
            (if (i32.load8_u (i32.const 64)) (then (return (i64.load8_u (i32.const 68)))))
            (call $set (i32.load (i32.const 68)) (local.get $key) (local.get $key_length)
                (local.get $key) (local.get $key_length)
                (i32.const 1) (i64.ge_s (local.get $ttl) (i64.const 0)) (local.get $ttl) (i32.const 1)
                (i32.const 128))
            (if (i32.load8_u (i32.const 128))
                (then (return (i64.add (i64.const 100) (i64.load8_u (i32.const 132))))))
            (i64.const 1000))
        (func (export "count") (param $name i32) (param $name_length i32)
            (param $key i32) (param $key_length i32) (param $delta i64) (result i64)
            (call $open (local.get $name) (local.get $name_length) (i32.const 64))
            (if (i32.load8_u (i32.const 64)) (then (return (i64.load8_u (i32.const 68)))))
            (call $increment (i32.load (i32.const 68)) (local.get $key) (local.get $key_length)
                (local.get $delta) (i32.const 128))
            (if (i32.load8_u (i32.const 128))
                (then (return (i64.add (i64.const 100) (i64.load8_u (i32.const 136))))))
            (i64.add (i64.const 1000) (i64.load (i32.const 136)))))
    (core instance $main (instantiate $main
        (with "host" (instance
            (export "memory" (memory $mem)) (export "open" (func $open)) (export "increment" (func $increment))
            (export "set" (func $set))))))
    (func (export "count") async (param "name" string) (param "key" string) (param "delta" s64) (result s64)
        (canon lift (core func $main "count") (memory $mem) (realloc $realloc)))
    (func (export "lock") async (param "name" string) (param "key" string) (param "ttl" s64) (result s64)
        (canon lift (core func $main "lock") (memory $mem) (realloc $realloc)))
)"#;

struct StoreData {
    keyvalue: KeyValueCtx,
    table: ResourceTable,
}

impl Provide<WasiKeyValue> for StoreData {
    fn provide(&mut self) -> KeyValueView<'_> {
        self.keyvalue.view(&mut self.table)
    }
}

fn engine(concurrency: bool) -> Result<Engine> {
    let mut config = Config::new();
    config.wasm_component_model_async(concurrency).concurrency_support(concurrency);
    Engine::new(&config)
}

async fn count(store: &MemoryStore, name: &str, key: &str, delta: i64) -> Result<i64> {
    call("count", store, name, key, delta).await
}

async fn lock(store: &MemoryStore, key: &str, ttl: i64) -> Result<i64> {
    call("lock", store, "default", key, ttl).await
}

async fn call(function: &str, store: &MemoryStore, name: &str, key: &str, number: i64) -> Result<i64> {
    let engine = engine(true)?;
    let mut linker = Linker::new(&engine);
    WasiKeyValue::add_to_linker(&mut linker)?;
    let component = Component::new(&engine, wat::parse_str(COUNTER)?)?;
    let shared: Arc<dyn KeyValueStore> = Arc::new(store.clone());
    let keyvalue = KeyValueCtx::new(Backends::new([("default".to_owned(), shared)]), &Limits::default());
    let mut store = wasmtime::Store::new(&engine, StoreData { keyvalue, table: ResourceTable::new() });
    let instance = linker.instantiate_async(&mut store, &component).await?;
    let function = instance.get_typed_func::<(&str, &str, i64), (i64,)>(&mut store, function)?;
    Ok(function.call_async(&mut store, (name, key, number)).await?.0)
}

#[tokio::test]
async fn an_async_component_counts() {
    let store = MemoryStore::default();
    assert_eq!(count(&store, "default", "visits", 5).await.unwrap(), 1005);
    assert_eq!(count(&store, "default", "visits", -7).await.unwrap(), 998);
    assert_eq!(store.get("visits").await.unwrap().unwrap().value, "-2");
}

#[tokio::test]
async fn an_async_component_locks() {
    let store = MemoryStore::default();
    assert_eq!(lock(&store, "lock", 0).await.unwrap(), 102, "invalid-argument");
    assert_eq!(lock(&store, "lock", 1).await.unwrap(), 1000);
    while store.get("lock").await.unwrap().is_some() {
        tokio::time::sleep(std::time::Duration::from_millis(1)).await;
    }
    assert_eq!(lock(&store, "lock", -1).await.unwrap(), 1000);
    assert_eq!(lock(&store, "lock", -1).await.unwrap(), 103, "precondition-failed");
    assert_eq!(store.get("lock").await.unwrap().unwrap().value, "lock");
}

#[tokio::test]
async fn errors_reach_the_guest_and_do_not_trap_it() {
    let store = MemoryStore::default();
    assert_eq!(count(&store, "other", "visits", 1).await.unwrap(), 0, "no-such-store");
    assert_eq!(count(&store, "default", "", 1).await.unwrap(), 102, "invalid-argument");
    assert_eq!(count(&store, "default", &"k".repeat(513), 1).await.unwrap(), 102, "invalid-argument");
    store.set("visits", "many".into(), None, Condition::Always).await.unwrap();
    assert_eq!(count(&store, "default", "visits", 1).await.unwrap(), 102, "invalid-argument");
    assert_eq!(count(&store, "", "visits", 1).await.unwrap(), 102, "the empty name is that of the default store");
    assert_eq!(store.get("visits").await.unwrap().unwrap().value, "many");
}

#[test]
fn an_engine_without_concurrency_gets_the_sync_packages() {
    let engine = engine(false).unwrap();
    WasiKeyValue::add_to_linker(&mut Linker::<StoreData>::new(&engine)).unwrap();
}
