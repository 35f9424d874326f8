//! The backend of a runtime: what guests tell goes where the runtime's own telemetry goes.

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

use crate::{Collector, Dropped, Origin, OtelState, WasiOtel};

/// How often is said that something was dropped, at most.
const QUIET: Duration = Duration::from_secs(60);

/// The backend of a runtime: all stores of a component tell its [`Telemetry`], under the same limits.
#[derive(Clone, Debug)]
pub struct HostTelemetry {
    state: OtelState,
}

impl HostTelemetry {
    /// What `component` tells goes to `telemetry`, as much of it as `limits` allow.
    pub fn new(component: &str, telemetry: &Telemetry, limits: &Limits) -> Self {
        let teller = Teller { component: component.into(), telemetry: telemetry.clone(), losses: Mutex::default() };
        Self { state: OtelState::new(Arc::new(teller), limits) }
    }
}

impl Backend<WasiOtel> for HostTelemetry {
    /// Where telemetry goes is said by flags of the runtime.
    fn flags() -> Vec<Flag> {
        Vec::new()
    }

    async fn connect(boot: BootContext<'_>) -> anyhow::Result<Self> {
        Ok(Self::new(boot.component, boot.telemetry, boot.limits))
    }

    fn state(&self, _: &ByteBudget) -> OtelState {
        self.state.clone()
    }
}

struct Teller {
    component: Box<str>,
    telemetry: Telemetry,
    losses: Mutex<Losses>,
}

/// What was dropped since that was last said.
#[derive(Debug, Default)]
struct Losses {
    spans: u64,
    points: u64,
    logs: u64,
    said: Option<Instant>,
}

impl Collector for Teller {
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
        if losses.said.is_none_or(|said| said.elapsed() >= QUIET) {
            losses.say(&self.component, Some(why));
        }
    }
}

impl Teller {
    fn record(&self, signal: Signal, origin: Origin<'_>, message: &impl Message) {
        let call = self.telemetry.host_call("otel", name(signal));
        self.encode(signal, origin, message);
        call.end(None);
    }

    fn encode(&self, signal: Signal, origin: Origin<'_>, message: &impl Message) {
        let (resource, scope) = (origin.resource.encoded_len(), origin.scope.encoded_len());
        let mut bytes = Vec::with_capacity(resource + scope + message.encoded_len());
        // A vector grows, so there is always place.
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
    fn say(&mut self, component: &str, why: Option<Dropped>) {
        let Self { spans, points, logs, .. } = *self;
        let why = why.map(::tracing::field::debug);
        warn!(target: "guest", component, spans, points, logs, why, "telemetry of the component was dropped");
        *self = Self { said: Some(Instant::now()), ..Self::default() };
    }
}

impl Drop for Teller {
    /// The last ones are said as well.
    fn drop(&mut self) {
        let losses = self.losses.get_mut().unwrap_or_else(PoisonError::into_inner);
        if losses.spans + losses.points + losses.logs > 0 {
            losses.say(&self.component, None);
        }
    }
}

impl fmt::Debug for Teller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Teller").field("component", &self.component).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
