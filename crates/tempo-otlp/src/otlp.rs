//! The exporter: sends spans, metrics and log records to a collector by OTLP, over gRPC or HTTP.
//!
//! It is Tempo's own, although `opentelemetry-otlp` exists, for three reasons. Its buffers are bounded in bytes, batches in
//! flight included, where the SDK's processors count items, whose size guests decide. It exports the spans and metrics of
//! guests as they are, where the SDK has no way to add records that it has not created. And it ends in time: a collector that
//! does not answer delays the exit of a runtime by its flush timeout at most. The generated messages of `opentelemetry-proto`
//! and the SDK's meters are used, and the tests compare its output with that of `opentelemetry-otlp`.

pub(crate) mod buffer;
mod connect;
pub(crate) mod exporter;
mod grpc;
mod http;
pub(crate) mod request;
mod retry;
pub(crate) mod sender;
pub(crate) mod tls;
pub(crate) mod transport;
pub(crate) mod wire;
