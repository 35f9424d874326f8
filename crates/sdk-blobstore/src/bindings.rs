//! Bindings of `tempo:blobstore@0.1.0`, generated from `wit/blobstore`.
#![allow(missing_docs, unsafe_code, unreachable_pub, clippy::all, clippy::pedantic, reason = "generated code")]

wit_bindgen::generate!({ path: "wit", world: "imports" });
