//! The OpenTelemetry SDK of this instance, made once: the global providers of the API, and the subscriber of `tracing`.

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

use super::sampler::LikeTheHost;
use super::subscriber::Spans;
use super::{log, metrics, panic, span};

/// What spans and events of `tracing` are made with.
pub(super) struct Pipeline {
    pub(super) tracer: SdkTracer,
    pub(super) logger: SdkLogger,
    spans: SdkTracerProvider,
    logs: SdkLoggerProvider,
}

static PIPELINE: OnceLock<Pipeline> = OnceLock::new();

/// The one of this instance.
pub(super) fn pipeline() -> &'static Pipeline {
    PIPELINE.get_or_init(|| {
        // The host says what component this is; the environment is not read.
        let resource = Resource::builder_empty().build();
        let spans = SdkTracerProvider::builder()
            .with_span_processor(span::ToHost)
            .with_sampler(LikeTheHost)
            .with_resource(resource.clone())
            .build();
        let logs = SdkLoggerProvider::builder().with_log_processor(log::ToHost).with_resource(resource).build();
        // Without a version, as the scope is told with every span.
        let scope = InstrumentationScope::builder("tempo-sdk-otel").build();
        let (tracer, logger) = (spans.tracer_with_scope(scope.clone()), logs.logger_with_scope(scope));
        Pipeline { tracer, logger, spans, logs }
    })
}

/// Makes this the telemetry of the instance. The first call does it; handlers of the SDK make it before they run.
pub fn install() {
    static INSTALLED: Once = Once::new();
    INSTALLED.call_once(|| {
        global::set_tracer_provider(pipeline().spans.clone());
        global::set_text_map_propagator(TextMapCompositePropagator::new(vec![
            Box::new(TraceContextPropagator::new()),
            Box::new(BaggagePropagator::new()),
        ]));
        metrics::install();
        // An error means that the component has a subscriber of its own, which it may.
        let _ = tracing::subscriber::set_global_default(Spans);
        panic::install();
    });
}

/// A logger of the OpenTelemetry API, which has no global one.
pub fn logger(name: impl Into<Cow<'static, str>>) -> SdkLogger {
    pipeline().logs.logger(name)
}
