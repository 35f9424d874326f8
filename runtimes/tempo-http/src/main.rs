//! `tempo-http`: the smallest useful runtime. It serves HTTP, with configuration, logging and telemetry.

use tempo_wasi_config::{Variables, WasiConfig};
use tempo_wasi_http::{HttpClient, HttpServer, WasiHttp};
use tempo_wasi_logging::{TracingLog, WasiLogging};
use tempo_wasi_otel::{HostTelemetry, WasiOtel};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

tempo_runtime::runtime! {
    name: "tempo-http",
    about: "Serves WebAssembly components over HTTP, with configuration, logging and telemetry",
    services: {
        WasiConfig = Variables,
        WasiHttp = HttpClient,
        WasiLogging = TracingLog,
        WasiOtel = HostTelemetry,
    },
    triggers: [HttpServer],
}
