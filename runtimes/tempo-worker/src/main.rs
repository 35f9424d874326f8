//! `tempo-worker`: a runtime for components that handle messages. It listens nowhere.

use tempo_nats::{NatsBlobstore, NatsKeyValue, NatsMessaging};
use tempo_wasi_blobstore::{self as blobstore, Azure, BlobstoreBackends, GoogleCloud, S3, WasiBlobstore};
use tempo_wasi_config::{Variables, WasiConfig};
use tempo_wasi_keyvalue::{self as keyvalue, KeyValueBackends, KeyValueWatcher, WasiKeyValue};
use tempo_wasi_logging::{TracingLog, WasiLogging};
use tempo_wasi_messaging::{self as messaging, MessageConsumer, Messages, MessagingBackends, WasiMessaging};
use tempo_wasi_otel::{HostTelemetry, WasiOtel};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

type Brokers = (messaging::Memory, messaging::File, NatsMessaging);

tempo_runtime::runtime! {
    name: "tempo-worker",
    about: "Runs WebAssembly components that handle messages, with keyvalue, blobstore, configuration, logging and telemetry",
    services: {
        WasiBlobstore =
            BlobstoreBackends<(blobstore::Memory, blobstore::File, NatsBlobstore, S3, GoogleCloud, Azure)>,
        WasiConfig = Variables,
        WasiKeyValue = KeyValueBackends<(keyvalue::Memory, keyvalue::File, NatsKeyValue)>,
        WasiLogging = TracingLog,
        WasiMessaging = MessagingBackends<Brokers>,
        WasiOtel = HostTelemetry,
    },
    triggers: [KeyValueWatcher, MessageConsumer],
    tools: [Messages<Brokers>],
}
