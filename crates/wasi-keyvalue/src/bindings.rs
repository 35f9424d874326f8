//! The generated bindings of each published package of keyvalue, in a module that is named for the package and its version.
//! All share one host type for a bucket.

/// `wasi:keyvalue@0.2.0-draft`.
pub(crate) mod wasi_v0_2_draft {
    wasmtime::component::bindgen!({
        path: "wit/keyvalue-draft",
        world: "watch-service",
        imports: { default: async | trappable },
        exports: { default: async },
        with: { "wasi:keyvalue/store.bucket": crate::Bucket },
        require_store_data_send: true,
    });
}

/// `wasi:keyvalue@0.2.0-draft2`.
pub(crate) mod wasi_v0_2_draft2 {
    wasmtime::component::bindgen!({
        path: "wit/keyvalue-draft2",
        world: "watch-service",
        imports: { default: async | trappable },
        exports: { default: async },
        with: {
            "wasi:keyvalue/store.bucket": crate::Bucket,
            "wasi:keyvalue/atomics.cas": crate::wasi_v0_2_draft2::Cas,
        },
        require_store_data_send: true,
    });
}

/// `wasmcloud:keyvalue@0.2.0`. Its functions are async in WIT, so they take the store through an accessor.
pub(crate) mod wasmcloud_v0_2 {
    wasmtime::component::bindgen!({
        path: "wit/keyvalue-wasmcloud",
        world: "watch-service",
        imports: { default: async | trappable },
        exports: { default: async | store },
        with: { "wasmcloud:keyvalue/types.bucket": crate::Bucket },
        require_store_data_send: true,
    });
}

/// `tempo:keyvalue@0.1.0`, on the buckets of `wasmcloud:keyvalue@0.2.0`.
pub(crate) mod tempo_v0_1 {
    wasmtime::component::bindgen!({
        path: "wit/keyvalue",
        world: "imports",
        imports: { default: async | trappable },
        with: {
            "wasmcloud:keyvalue/types": super::wasmcloud_v0_2::wasmcloud::keyvalue::types,
            "wasmcloud:keyvalue/cas": super::wasmcloud_v0_2::wasmcloud::keyvalue::cas,
        },
        require_store_data_send: true,
    });
}
