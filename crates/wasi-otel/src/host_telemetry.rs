//! `HostTelemetry`: the backend that forwards guests' telemetry to the runtime's telemetry.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use ::tracing::warn;
use opentelemetry::trace::SpanContext;
use opentelemetry_proto::tonic::logs::v1::LogRecord;
use opentelemetry_proto::tonic::metrics::v1::Metric;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;
use tempo_backend::ByteBudget;
use tempo_core::{Backend, BootContext, Limits};
use tempo_settings::Flag;
use tempo_telemetry::{Record, Signal, Telemetry};

use crate::{Collector, Dropped, Origin, OtelCtx, WasiOtel};

/// Minimum interval between warnings about dropped items.
const WARNING_INTERVAL: Duration = Duration::from_secs(60);

/// The backend of a runtime: all stores of a component share its [`Telemetry`] and limits.
#[derive(Clone, Debug)]
pub struct HostTelemetry {
    state: OtelCtx,
}

impl HostTelemetry {
    /// Creates the backend of `component`, whose telemetry goes to `telemetry` within `limits`.
    pub fn new(component: &str, telemetry: &Telemetry, limits: &Limits) -> Self {
        let collector =
            TelemetryCollector { component: component.into(), telemetry: telemetry.clone(), losses: Mutex::default() };
        Self { state: OtelCtx::new(Arc::new(collector), limits) }
    }
}

impl Backend<WasiOtel> for HostTelemetry {
    /// The exporters have flags of their own.
    fn flags() -> Vec<Flag> {
        Vec::new()
    }

    async fn connect(boot: BootContext<'_>) -> tempo_settings::Result<Self> {
        Ok(Self::new(boot.component, boot.telemetry, boot.limits))
    }

    fn state(&self, _: &ByteBudget) -> OtelCtx {
        self.state.clone()
    }
}

struct TelemetryCollector {
    component: Box<str>,
    telemetry: Telemetry,
    losses: Mutex<Losses>,
}

/// Items dropped since the last warning.
#[derive(Debug, Default)]
struct Losses {
    spans: u64,
    points: u64,
    logs: u64,
    last_warning: Option<Instant>,
}

impl Collector for TelemetryCollector {
    fn enabled(&self, signal: Signal) -> bool {
        self.telemetry.enabled(signal)
    }

    fn reserves(&self, key: &str) -> bool {
        self.telemetry.reserves(key)
    }

    fn samples(&self, span: &SpanContext) -> bool {
        self.telemetry.samples(span)
    }

    fn span(&self, origin: Origin<'_>, span: Span) {
        self.record(Signal::Traces, origin, &span);
    }

    fn metric(&self, origin: Origin<'_>, metric: Metric) {
        self.record(Signal::Metrics, origin, &metric);
    }

    fn log(&self, origin: Origin<'_>, record: LogRecord) {
        self.record(Signal::Logs, origin, &record);
    }

    fn dropped(&self, signal: Signal, why: Dropped, count: u64) {
        let limit = match (signal, why) {
            (_, Dropped::Invalid) => None,
            (Signal::Traces, _) => Some("guest-spans"),
            (Signal::Metrics, _) => Some("guest-metrics"),
            (Signal::Logs, _) => Some("max-log-rate"),
        };
        if let Some(limit) = limit {
            self.telemetry.count_limit_hit(limit);
        }
        let mut losses = self.losses.lock().unwrap_or_else(PoisonError::into_inner);
        let Losses { spans, points, logs, .. } = &mut *losses;
        let sum = match signal {
            Signal::Traces => spans,
            Signal::Metrics => points,
            Signal::Logs => logs,
        };
        *sum = sum.saturating_add(count);
        if losses.last_warning.is_none_or(|last_warning| last_warning.elapsed() >= WARNING_INTERVAL) {
            losses.log(&self.component, Some(why));
        }
    }
}

impl TelemetryCollector {
    fn record(&self, signal: Signal, origin: Origin<'_>, message: &impl Message) {
        let call = self.telemetry.host_call("otel", name(signal));
        self.encode(signal, origin, message);
        call.end(None);
    }

    fn encode(&self, signal: Signal, origin: Origin<'_>, message: &impl Message) {
        let (resource, scope) = (origin.resource.encoded_len(), origin.scope.encoded_len());
        let mut bytes = Vec::with_capacity(resource + scope + message.encoded_len());
        // Writing to a vector cannot fail.
        let encoded = origin.resource.encode(&mut bytes).and_then(|()| origin.scope.encode(&mut bytes));
        if encoded.and_then(|()| message.encode(&mut bytes)).is_err() {
            return;
        }
        let Some((resource, rest)) = bytes.split_at_checked(resource) else { return };
        let Some((scope, message)) = rest.split_at_checked(scope) else { return };
        self.telemetry.record(Record { signal, resource, scope, schema_url: origin.schema_url, message });
    }
}

fn name(signal: Signal) -> &'static str {
    match signal {
        Signal::Traces => "span",
        Signal::Metrics => "metric",
        Signal::Logs => "log",
    }
}

impl Losses {
    fn log(&mut self, component: &str, why: Option<Dropped>) {
        let Self { spans, points, logs, .. } = *self;
        let why = why.map(::tracing::field::debug);
        warn!(target: "guest", component, spans, points, logs, why, "telemetry of the component was dropped");
        *self = Self { last_warning: Some(Instant::now()), ..Self::default() };
    }
}

impl Drop for TelemetryCollector {
    /// Reports the remaining losses.
    fn drop(&mut self) {
        let losses = self.losses.get_mut().unwrap_or_else(PoisonError::into_inner);
        if losses.spans + losses.points + losses.logs > 0 {
            losses.log(&self.component, None);
        }
    }
}

impl fmt::Debug for TelemetryCollector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TelemetryCollector").field("component", &self.component).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
