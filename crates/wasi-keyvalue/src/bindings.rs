//! What `bindgen!` makes of each published package of keyvalue. All of them share one host type for a bucket.

/// `wasi:keyvalue@0.2.0-draft`.
pub(crate) mod draft {
    wasmtime::component::bindgen!({
        path: "wit/keyvalue-draft",
        world: "watch-service",
        imports: { default: async | trappable },
        exports: { default: async },
        with: { "wasi:keyvalue/store.bucket": crate::Bucket },
        trappable_error_type: { "wasi:keyvalue/store.error" => crate::failure::Failure },
        require_store_data_send: true,
    });
}

/// `wasi:keyvalue@0.2.0-draft2`.
pub(crate) mod draft2 {
    wasmtime::component::bindgen!({
        path: "wit/keyvalue-draft2",
        world: "watch-service",
        imports: { default: async | trappable },
        exports: { default: async },
        with: {
            "wasi:keyvalue/store.bucket": crate::Bucket,
            "wasi:keyvalue/atomics.cas": crate::draft2::Cas,
        },
        trappable_error_type: { "wasi:keyvalue/store.error" => crate::failure::Failure },
        require_store_data_send: true,
    });
}

/// `wasmcloud:keyvalue@0.2.0`. Its functions are async in WIT, so they take the store through an accessor.
pub(crate) mod wasmcloud {
    wasmtime::component::bindgen!({
        path: "wit/keyvalue-wasmcloud",
        world: "watch-service",
        imports: { default: async | trappable },
        exports: { default: async | store },
        with: { "wasmcloud:keyvalue/types.bucket": crate::Bucket },
        trappable_error_type: { "wasmcloud:keyvalue/types.error" => crate::failure::Failure },
        require_store_data_send: true,
    });
}
