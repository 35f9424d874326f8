//! Bindings of each published version of `wasi:config`.

/// `wasi:config@0.2.0-rc.1`.
pub(crate) mod rc1 {
    wasmtime::component::bindgen!({
        path: "wit/config",
        imports: { default: async | trappable },
        require_store_data_send: true,
    });
}

/// `wasi:config@0.2.0-draft`.
pub(crate) mod draft {
    wasmtime::component::bindgen!({
        path: "wit/config-draft",
        imports: { default: async | trappable },
        require_store_data_send: true,
    });
}

/// `wasi:config@0.2.0-draft-2024-09-27`.
pub(crate) mod draft_2024_09_27 {
    wasmtime::component::bindgen!({
        path: "wit/config-draft-2024-09-27",
        imports: { default: async | trappable },
        require_store_data_send: true,
    });
}
