//! `tempo`: a runtime with every service there is.

use tempo_nats::{NatsBlobstore, NatsKeyValue, NatsMessaging};
use tempo_new::{Add, New};
use tempo_wasi_blobstore::{self as blobstore, Azure, BlobstoreBackends, GoogleCloud, S3, WasiBlobstore};
use tempo_wasi_config::{Variables, WasiConfig};
use tempo_wasi_http::{HttpClient, HttpServer, WasiHttp};
use tempo_wasi_keyvalue::{self as keyvalue, KeyValueBackends, KeyValueWatcher, WasiKeyValue};
use tempo_wasi_logging::{TracingLog, WasiLogging};
use tempo_wasi_messaging::{self as messaging, MessageConsumer, Messages, MessagingBackends, WasiMessaging};
use tempo_wasi_otel::{HostTelemetry, WasiOtel};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

type Brokers = (messaging::Memory, messaging::File, NatsMessaging);

tempo_runtime::runtime! {
    name: "tempo",
    about: "Serves WebAssembly components, with every service there is",
    services: {
        WasiBlobstore =
            BlobstoreBackends<(blobstore::Memory, blobstore::File, NatsBlobstore, S3, GoogleCloud, Azure)>,
        WasiConfig = Variables,
        WasiHttp = HttpClient,
        WasiKeyValue = KeyValueBackends<(keyvalue::Memory, keyvalue::File, NatsKeyValue)>,
        WasiLogging = TracingLog,
        WasiMessaging = MessagingBackends<Brokers>,
        WasiOtel = HostTelemetry,
    },
    triggers: [HttpServer, KeyValueWatcher, MessageConsumer],
    tools: [Add, Messages<Brokers>, New],
}
