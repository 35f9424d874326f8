//! `HostTelemetry`: the backend that forwards guests' telemetry to the runtime's telemetry.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use ::tracing::warn;
use opentelemetry::trace::SpanContext;
use opentelemetry_proto::tonic::logs::v1::LogRecord;
use opentelemetry_proto::tonic::metrics::v1::Metric;
use opentelemetry_proto::tonic::trace::v1::Span;
use tempo_core::{Backend, BootContext, Limits, StoreContext};
use tempo_settings::Flag;
use tempo_telemetry::{HostCalls, Record, Signal, Telemetry};

use crate::component_label::ComponentLabel;
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
        let collector = TelemetryCollector {
            component: component.into(),
            label: telemetry.component().map(ComponentLabel::new),
            telemetry: telemetry.clone(),
            calls: HostCalls::new(telemetry, "otel"),
            losses: Mutex::default(),
        };
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

    fn state(&self, _: &StoreContext) -> OtelCtx {
        self.state.clone()
    }
}

struct TelemetryCollector {
    component: Box<str>,
    /// Names the component, if it is part of an app.
    label: Option<ComponentLabel>,
    telemetry: Telemetry,
    calls: HostCalls,
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

    fn span(&self, origin: Origin<'_>, mut span: Span) {
        self.label.iter().for_each(|label| label.add_to_span(&mut span));
        self.record("span", origin, Record::Span(&span));
    }

    fn metric(&self, origin: Origin<'_>, mut metric: Metric) {
        self.label.iter().for_each(|label| label.add_to_metric(&mut metric));
        self.record("metric", origin, Record::Metric(&metric));
    }

    fn log(&self, origin: Origin<'_>, mut record: LogRecord) {
        self.label.iter().for_each(|label| label.add_to_log(&mut record));
        self.record("log", origin, Record::Log(&record));
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
    fn record(&self, operation: &'static str, origin: Origin<'_>, record: Record<'_>) {
        let call = self.calls.begin(operation);
        let Origin { resource, scope, schema_url } = origin;
        let origin = tempo_telemetry::Origin::guest(resource, scope, schema_url);
        self.telemetry.record(origin, record);
        call.end(None);
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
