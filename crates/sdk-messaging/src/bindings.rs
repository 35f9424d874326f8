//! Bindings of `tempo:messaging@0.1.0`, generated from `wit/messaging`. The world exports the handler, but a component
//! exports it only if it uses `#[handler]`.
#![allow(missing_docs, unsafe_code, unreachable_pub, clippy::all, clippy::pedantic, reason = "generated code")]

wit_bindgen::generate!({
    path: "wit",
    world: "handler-service",
    pub_export_macro: true,
    export_macro_name: "_export_handler",
});
