//! Bindings of `wasi:logging/logging@0.1.0-draft`, generated from `wit/logging`.
#![allow(missing_docs, unsafe_code, unreachable_pub, clippy::all, clippy::pedantic, reason = "generated code")]

wit_bindgen::generate!({ path: "wit", world: "imports" });
