//! The bindings of `wasmcloud:keyvalue@0.2.0` with its exported watcher, generated from `wit/keyvalue-wasmcloud`.
#![allow(missing_docs, unsafe_code, unreachable_pub, clippy::all, clippy::pedantic, reason = "generated code")]

use super::Watcher;

wit_bindgen::generate!({ path: "../../../wit/keyvalue-wasmcloud", world: "watch-service" });
export!(Watcher);
