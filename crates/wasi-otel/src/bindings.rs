//! Bindings of `wasi:otel@0.2.0-rc.2`.

wasmtime::component::bindgen!({
    path: "wit/otel",
    world: "imports",
    require_store_data_send: true,
});
