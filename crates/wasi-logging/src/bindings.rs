//! What `bindgen!` makes of each published version of `wasi:logging`.

/// `wasi:logging@0.1.0-draft`.
pub(crate) mod draft {
    wasmtime::component::bindgen!({
        path: "wit/logging",
        require_store_data_send: true,
    });
}

/// `wasi:logging`, from the time before it had a version.
pub(crate) mod unversioned {
    wasmtime::component::bindgen!({
        path: "wit/logging-unversioned",
        require_store_data_send: true,
    });
}
