//! Bindings of each published version of `wasi:logging`.

/// `wasi:logging@0.1.0-draft`.
pub(crate) mod draft {
    wasmtime::component::bindgen!({
        path: "wit/logging",
        require_store_data_send: true,
    });
}

/// `wasi:logging` without a version, as first published.
pub(crate) mod unversioned {
    wasmtime::component::bindgen!({
        path: "wit/logging-unversioned",
        require_store_data_send: true,
    });
}
