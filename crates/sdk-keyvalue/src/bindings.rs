//! The bindings of `wasmcloud:keyvalue@0.2.0`, generated from `wit/keyvalue-wasmcloud`.
#![allow(missing_docs, unsafe_code, unreachable_pub, clippy::all, clippy::pedantic, reason = "generated code")]

wit_bindgen::generate!({ path: "wit", world: "imports" });
