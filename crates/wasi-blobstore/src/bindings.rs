//! What `bindgen!` makes of each package.

/// `wasi:blobstore@0.2.0-draft`.
pub(crate) mod draft {
    wasmtime::component::bindgen!({
        path: "wit/blobstore-draft",
        imports: { default: async | trappable },
        with: {
            "wasi:io": wasmtime_wasi::p2::bindings::io,
            "wasi:blobstore/container.container": crate::service::OpenContainer,
            "wasi:blobstore/container.stream-object-names": crate::draft::ObjectNames,
            "wasi:blobstore/types.incoming-value": crate::draft::IncomingValue,
            "wasi:blobstore/types.outgoing-value": crate::draft::OutgoingValue,
        },
        require_store_data_send: true,
    });
}

/// `tempo:blobstore@0.1.0`.
pub(crate) mod tempo {
    wasmtime::component::bindgen!({
        path: "wit/blobstore",
        imports: {
            "tempo:blobstore/store.[drop]container": trappable,
            "tempo:blobstore/store.[method]container.list": store | trappable,
            default: async | store | trappable,
        },
        with: { "tempo:blobstore/store.container": crate::service::OpenContainer },
        require_store_data_send: true,
    });
}
