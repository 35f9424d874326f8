//! The supported `OTEL_*` variables.

use tempo_settings::Flag;
use tempo_telemetry::Signal;

/// A general setting and its per-signal overrides.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PerSignal {
    pub(crate) all: Flag,
    pub(crate) traces: Flag,
    pub(crate) metrics: Flag,
    pub(crate) logs: Flag,
}

impl PerSignal {
    /// Returns the variable of one signal, which overrides the general one.
    pub(crate) fn of(&self, signal: Signal) -> &Flag {
        match signal {
            Signal::Traces => &self.traces,
            Signal::Metrics => &self.metrics,
            Signal::Logs => &self.logs,
        }
    }
}

macro_rules! flags {
    (
        one { $($name:ident = $variable:literal $value:literal $help:literal;)* }
        per_signal { $($each:ident = $suffix:literal $each_value:literal $each_help:literal;)* }
    ) => {
        $(pub(crate) const $name: Flag = Flag::environment($variable, $value, $help);)*
        $(pub(crate) const $each: PerSignal = PerSignal {
            all: Flag::environment(concat!("OTEL_EXPORTER_OTLP_", $suffix), $each_value, $each_help),
            traces: Flag::environment(
                concat!("OTEL_EXPORTER_OTLP_TRACES_", $suffix), $each_value, concat!($each_help, ", for traces only"),
            ),
            metrics: Flag::environment(
                concat!("OTEL_EXPORTER_OTLP_METRICS_", $suffix), $each_value, concat!($each_help, ", for metrics only"),
            ),
            logs: Flag::environment(
                concat!("OTEL_EXPORTER_OTLP_LOGS_", $suffix), $each_value, concat!($each_help, ", for logs only"),
            ),
        };)*
        /// All supported variables.
        pub const FLAGS: &[Flag] = &[$($name,)* $($each.all, $each.traces, $each.metrics, $each.logs,)*];
    };
}

flags! { one {
    SDK_DISABLED = "OTEL_SDK_DISABLED" "BOOL" "Send nothing, whatever the other variables say (default: false)";
    SERVICE_NAME = "OTEL_SERVICE_NAME" "NAME" "service.name of the resource (default: the component's name)";
    RESOURCE_ATTRIBUTES = "OTEL_RESOURCE_ATTRIBUTES" "KEY=VALUE,..." "Attributes of the resource";
    TRACES_EXPORTER = "OTEL_TRACES_EXPORTER" "otlp|none" "Whether traces are sent (default: otlp, if an endpoint is set)";
    METRICS_EXPORTER = "OTEL_METRICS_EXPORTER" "otlp|none" "Whether metrics are sent (default: otlp, if an endpoint is set)";
    LOGS_EXPORTER = "OTEL_LOGS_EXPORTER" "otlp|none" "Whether logs are sent (default: otlp, if an endpoint is set)";
    SAMPLER = "OTEL_TRACES_SAMPLER" "SAMPLER" "Which traces are recorded: [parentbased_]always_on, [parentbased_]always_off or [parentbased_]traceidratio (default: parentbased_always_on)";
    SAMPLER_ARG = "OTEL_TRACES_SAMPLER_ARG" "SHARE" "For traceidratio: which share of the traces, from 0 to 1 (default: 1)";
    PROPAGATORS = "OTEL_PROPAGATORS" "tracecontext,baggage" "The headers that carry a trace; fixed";
    BSP_SCHEDULE_DELAY = "OTEL_BSP_SCHEDULE_DELAY" "MILLISECONDS" "How long spans wait to be sent together (default: 5000)";
    BLRP_SCHEDULE_DELAY = "OTEL_BLRP_SCHEDULE_DELAY" "MILLISECONDS" "How long log records wait to be sent together (default: 1000)";
    METRIC_EXPORT_INTERVAL = "OTEL_METRIC_EXPORT_INTERVAL" "MILLISECONDS" "How often metrics are sent (default: 60000)";
    TEMPORALITY = "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE" "TEMPORALITY" "cumulative, delta or lowmemory (default: cumulative)";
} per_signal {
    ENDPOINT = "ENDPOINT" "URL" "The collector";
    PROTOCOL = "PROTOCOL" "PROTOCOL" "grpc or http/protobuf (default)";
    HEADERS = "HEADERS" "KEY=VALUE,..." "Headers of requests to the collector";
    TIMEOUT = "TIMEOUT" "MILLISECONDS" "For one request with all its attempts (default: 10000)";
    COMPRESSION = "COMPRESSION" "gzip|none" "How requests are compressed (default: none)";
    INSECURE = "INSECURE" "BOOL" "For gRPC: whether an endpoint without a scheme is without TLS (default: false)";
    CERTIFICATE = "CERTIFICATE" "FILE" "PEM file of the certificate authorities to trust instead of those that browsers trust";
    CLIENT_CERTIFICATE = "CLIENT_CERTIFICATE" "FILE" "PEM file of the runtime's own certificate";
    CLIENT_KEY = "CLIENT_KEY" "FILE" "PEM file of the key of that certificate";
} }
