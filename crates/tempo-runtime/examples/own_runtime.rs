//! A runtime of one's own: `own_runtime run app.wasm` serves a component over HTTP, with configuration and nothing else.

use tempo_wasi_config::{Variables, WasiConfig};
use tempo_wasi_http::{HttpClient, HttpServer, WasiHttp};

tempo_runtime::runtime! {
    name: "own_runtime",
    about: "Serves our components over HTTP, with configuration",
    services: {
        WasiConfig = Variables,
        WasiHttp = HttpClient,
    },
    triggers: [HttpServer],
}
