//! Bindings of `wasmcloud:keyvalue@0.2.0` and `tempo:keyvalue@0.1.0`, generated from `wit/keyvalue`. A component imports the
//! interfaces that it calls. The world exports the watcher, but a component exports it only if it uses `#[watcher]`.
#![allow(missing_docs, unsafe_code, unreachable_pub, clippy::all, clippy::pedantic, reason = "generated code")]

wit_bindgen::generate!({
    path: "wit",
    world: "watch-service",
    pub_export_macro: true,
    export_macro_name: "_export_watcher",
    generate_all,
});
