//! The instance's OpenTelemetry SDK: the global providers of the API, and the `tracing` subscriber.

use std::borrow::Cow;
use std::sync::{Once, OnceLock};

use opentelemetry::logs::LoggerProvider as _;
use opentelemetry::propagation::TextMapCompositePropagator;
use opentelemetry::trace::TracerProvider as _;
use opentelemetry::{InstrumentationScope, global};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::logs::{SdkLogger, SdkLoggerProvider};
use opentelemetry_sdk::propagation::{BaggagePropagator, TraceContextPropagator};
use opentelemetry_sdk::trace::{SdkTracer, SdkTracerProvider};

use super::sampler::HostSampler;
use super::subscriber::OtelSubscriber;
use super::{log, metrics, panic, span};

/// The tracer and the logger of the `tracing` subscriber.
pub(super) struct Pipeline {
    pub(super) tracer: SdkTracer,
    pub(super) logger: SdkLogger,
    spans: SdkTracerProvider,
    logs: SdkLoggerProvider,
}

static PIPELINE: OnceLock<Pipeline> = OnceLock::new();

/// Returns the instance's pipeline.
pub(super) fn pipeline() -> &'static Pipeline {
    PIPELINE.get_or_init(|| {
        // The host sets the resource; the SDK does not read the environment.
        let resource = Resource::builder_empty().build();
        let spans = SdkTracerProvider::builder()
            .with_span_processor(span::HostSpanProcessor)
            .with_sampler(HostSampler)
            .with_resource(resource.clone())
            .build();
        let logs =
            SdkLoggerProvider::builder().with_log_processor(log::HostLogProcessor).with_resource(resource).build();
        // Without a version: the scope is sent with every span.
        let scope = InstrumentationScope::builder("tempo-sdk-otel").build();
        let (tracer, logger) = (spans.tracer_with_scope(scope.clone()), logs.logger_with_scope(scope));
        Pipeline { tracer, logger, spans, logs }
    })
}

/// Installs the telemetry of the instance. The first call installs it; the handlers of the SDK call it before they run.
pub fn install() {
    static INSTALLED: Once = Once::new();
    INSTALLED.call_once(|| {
        global::set_tracer_provider(pipeline().spans.clone());
        global::set_text_map_propagator(TextMapCompositePropagator::new(vec![
            Box::new(TraceContextPropagator::new()),
            Box::new(BaggagePropagator::new()),
        ]));
        metrics::install();
        // Fails if the component has its own subscriber, which is allowed.
        let _ = tracing::subscriber::set_global_default(OtelSubscriber);
        panic::install();
    });
}

/// Creates a logger of the OpenTelemetry API, which has no global logger provider.
pub fn logger(name: impl Into<Cow<'static, str>>) -> SdkLogger {
    pipeline().logs.logger(name)
}
