//! Bindings of `wasi:config/store@0.2.0-rc.1`, generated from `wit/config`.
#![allow(missing_docs, unsafe_code, unreachable_pub, clippy::all, clippy::pedantic, reason = "generated code")]

wit_bindgen::generate!({ path: "wit", world: "imports" });
