//! The stores. Each write of `counters/KEY` increments a number. `named/STORE/KEY` opens `STORE` without a label.

use std::fmt::Debug;

use crate::Outcome;
use crate::bindings::wasmcloud::keyvalue::{atomics, types};
use crate::bindings::{cache, counters, sessions, settings, wasi};

fn text(error: impl Debug) -> String {
    format!("{error:?}")
}

pub(crate) async fn get(label: &str, key: &str) -> Outcome<Option<Vec<u8>>> {
    match label {
        "cache" => cache::open("any").and_then(|bucket| bucket.get(key)).map_err(text),
        "settings" => settings::open("any").and_then(|bucket| bucket.get(key)).map_err(text),
        "sessions" => sessions::open("other").and_then(|bucket| bucket.get(key)).map_err(text),
        "counters" => counter().await?.get(key.to_owned()).await.map_err(text),
        _ => {
            let (store, key) = key.split_once('/').unwrap_or_default();
            wasi::keyvalue0_2_0_draft::store::open(store).and_then(|bucket| bucket.get(key)).map_err(text)
        }
    }
}

pub(crate) async fn set(label: &str, key: &str, value: Vec<u8>) -> Outcome<()> {
    match label {
        "cache" => cache::open("any").and_then(|bucket| bucket.set(key, &value)).map_err(text),
        "settings" => settings::open("any").and_then(|bucket| bucket.set(key, &value)).map_err(text),
        "sessions" => sessions::open("other").and_then(|bucket| bucket.set(key, &value)).map_err(text),
        "counters" => atomics::increment(&counter().await?, key.to_owned(), 1).await.map(drop).map_err(text),
        _ => Err("stores without a label are only read".to_owned()),
    }
}

/// The bucket's type is that of an import without a label, so it goes with the other interfaces of the package.
async fn counter() -> Outcome<types::Bucket> {
    counters::open("any".to_owned()).await.map_err(text)
}
