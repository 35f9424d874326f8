//! Real components watch changes.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures::StreamExt as _;
use tempo_backend::{Backends, ByteBudget};
use tempo_core::{Limits, ServiceState, StoreData, WasiCtx};
use tokio::time::timeout;
use wasmtime::Engine;
use wasmtime::component::{Component, Linker};

use super::*;
use crate::{Change, Condition, KeyValueCtx, KeyValueStore, MemoryStore};

/// Timeout of an expected event.
const PATIENCE: Duration = Duration::from_secs(60);

/// A component that records changes: of the key `?rest` under `-rest`, deletions as `gone`. It ignores keys that begin
/// with `-`, and traps on those that begin with `!`.
fn recorder(version: &str) -> String {
    format!(
        r#"(component
            (import "wasi:keyvalue/store@{version}" (instance $store
                (export "bucket" (type $bucket (sub resource)))
                (type $raw (variant (case "no-such-store") (case "access-denied") (case "other" string)))
                (export "error" (type $error (eq $raw)))
                (export "[method]bucket.set" (func (param "self" (borrow $bucket)) (param "key" string)
                    (param "value" (list u8)) (result (result (error $error)))))
            ))
            (alias export $store "bucket" (type $bucket))
            (core module $memory
                (memory (export "memory") 2)
                (data (i32.const 0) "gone")
                (global $next (mut i32) (i32.const 1024))
                (func (export "realloc") (param i32 i32 i32 i32) (result i32)
                    (local $at i32)
                    (local.set $at (i32.and (i32.add (global.get $next) (i32.const 7)) (i32.const -8)))
                    (global.set $next (i32.add (local.get $at) (local.get 3)))
                    (local.get $at)))
            (core instance $memory (instantiate $memory))
            (alias core export $memory "memory" (core memory $mem))
            (alias core export $memory "realloc" (core func $realloc))
            (core func $set (canon lower (func $store "[method]bucket.set") (memory $mem) (realloc $realloc)))
            (core module $main
                (import "host" "memory" (memory 1))
                (import "host" "set" (func $set (param i32 i32 i32 i32 i32 i32)))
                (func $on_set (export "on-set")
                    (param $bucket i32) (param $key i32) (param $length i32) (param $value i32) (param $size i32)
                    (local $first i32)
                    (local.set $first (i32.load8_u (local.get $key)))
                    (if (i32.eq (local.get $first) (i32.const 0x21)) (then unreachable))
                    (if (i32.eq (local.get $first) (i32.const 0x2d)) (then return))
                    (i32.store8 (local.get $key) (i32.const 0x2d))
                    (call $set (local.get $bucket) (local.get $key) (local.get $length)
                        (local.get $value) (local.get $size) (i32.const 64)))
                (func (export "on-delete") (param $bucket i32) (param $key i32) (param $length i32)
                    (call $on_set (local.get $bucket) (local.get $key) (local.get $length)
                        (i32.const 0) (i32.const 4))))
            (core instance $main (instantiate $main
                (with "host" (instance (export "memory" (memory $mem)) (export "set" (func $set))))))
            (func $on_set (param "bucket" (own $bucket)) (param "key" string) (param "value" (list u8))
                (canon lift (core func $main "on-set") (memory $mem) (realloc $realloc)))
            (func $on_delete (param "bucket" (own $bucket)) (param "key" string)
                (canon lift (core func $main "on-delete") (memory $mem) (realloc $realloc)))
            (instance $watcher (export "on-set" (func $on_set)) (export "on-delete" (func $on_delete)))
            (export "wasi:keyvalue/watcher@{version}" (instance $watcher))
        )"#
    )
}

async fn start(version: &str, store: &MemoryStore) -> Box<dyn Running> {
    let engine = Engine::default();
    let mut linker = Linker::new(&engine);
    <WasiKeyValue as tempo_core::Service>::link(&mut linker).unwrap();
    let bytes = wat::parse_str(recorder(version)).unwrap();
    let component = Component::new(&engine, bytes).unwrap();
    let shared: Arc<dyn KeyValueStore> = Arc::new(store.clone());
    let stores = Backends::new([("default".to_owned(), shared.clone()), ("again".to_owned(), shared)]);
    let state = KeyValueCtx::new(stores, &Limits::default());
    let watched = state.clone();
    let data = move || {
        let data = StoreData::new(WasiCtx::builder().build(), &Limits::default(), ByteBudget::new(1 << 20));
        Ok(data.with(ServiceState::new::<WasiKeyValue>(state.clone())))
    };
    let linked = linker.instantiate_pre(&component).unwrap();
    let workload = Workload::builder("test", linked, data).build();
    KeyValueWatcher::start(workload, &Settings::default(), watched).await.unwrap()
}

async fn set(store: &MemoryStore, key: &str, value: &'static str) {
    store.set(key, Bytes::from(value), None, Condition::Always).await.unwrap();
}

/// Waits until `key` has each of `values` in turn.
async fn hears(changes: &mut futures::stream::BoxStream<'static, crate::Result<Change>>, key: &str, values: &[&str]) {
    for expected in values {
        let next = async {
            loop {
                match changes.next().await.unwrap().unwrap() {
                    Change::Set { key: found, value } if found == key => return value,
                    _ => {}
                }
            }
        };
        assert_eq!(timeout(PATIENCE, next).await.unwrap(), expected.as_bytes());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_change_is_told_once_and_in_order() {
    for version in ["0.2.0-draft", "0.2.0-draft2"] {
        let store = MemoryStore::default();
        let running = start(version, &store).await;
        assert_eq!(running.announcement(), "watching keyvalue stores: again, default");
        let mut changes = store.watch().await.unwrap();
        set(&store, "?k", "1").await;
        set(&store, "?k", "2").await;
        store.delete("?k").await.unwrap();
        set(&store, "?k", "3").await;
        hears(&mut changes, "-k", &["1", "2", "gone", "3"]).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trap_ends_its_own_call_only() {
    let store = MemoryStore::default();
    let _running = start("0.2.0-draft", &store).await;
    let mut changes = store.watch().await.unwrap();
    for _ in 0..20 {
        set(&store, "!k", "1").await;
    }
    set(&store, "?k", "2").await;
    hears(&mut changes, "-k", &["2"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_drained_watcher_finishes_what_it_has_taken_and_takes_no_more() {
    let store = MemoryStore::default();
    let running = start("0.2.0-draft", &store).await;
    let mut changes = store.watch().await.unwrap();
    set(&store, "?k", "1").await;
    hears(&mut changes, "-k", &["1"]).await;
    running.drain(Instant::now() + PATIENCE).await;
    set(&store, "?k", "2").await;
    set(&store, "-k", "end").await;
    hears(&mut changes, "-k", &["end"]).await;
}
