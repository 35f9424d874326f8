//! Generated bindings of each messaging package, with the exported handlers.

/// `tempo:messaging@0.1.0`. Async in WIT: functions access the store through an accessor.
pub(crate) mod tempo {
    wasmtime::component::bindgen!({
        path: "wit/messaging",
        world: "handler-service",
        imports: { default: async | trappable },
        exports: { default: async | store },
        trappable_error_type: { "tempo:messaging/types.error" => crate::error::TrappableError },
        require_store_data_send: true,
    });
}

/// `wasi:messaging@0.2.0-draft`. `messaging-core` has the same handler.
pub(crate) mod draft {
    wasmtime::component::bindgen!({
        path: "wit/messaging-draft",
        world: "messaging-request-reply",
        imports: { default: async | trappable },
        exports: { default: async },
        with: {
            "wasi:messaging/types.client": crate::draft::Connection,
            "wasi:messaging/types.message": crate::draft::OwnMessage,
            "wasi:messaging/request-reply.request-options": crate::draft::RequestOptions,
        },
        trappable_error_type: { "wasi:messaging/types.error" => crate::error::TrappableError },
        require_store_data_send: true,
    });
}

/// `wasmcloud:messaging@0.2.0`, with errors as text.
pub(crate) mod wasmcloud_v0_2 {
    wasmtime::component::bindgen!({
        path: "wit/messaging-wasmcloud-0.2",
        world: "handler-service",
        imports: { default: async | trappable },
        exports: { default: async },
        require_store_data_send: true,
    });
}

/// `wasmcloud:messaging@0.3.0`, with bodies as streams.
pub(crate) mod wasmcloud_v0_3 {
    wasmtime::component::bindgen!({
        path: "wit/messaging-wasmcloud-0.3",
        world: "handler-service",
        imports: { default: async | trappable },
        exports: { default: async | store },
        trappable_error_type: { "wasmcloud:messaging/types.error" => crate::error::TrappableError },
        require_store_data_send: true,
    });
}
