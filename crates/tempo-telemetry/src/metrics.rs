//! All instruments of the runtime. Names, units and buckets follow the OpenTelemetry semantic conventions; instruments
//! that the conventions lack have the prefix `tempo.`.
//!
//! No attribute value comes from a client or a guest: each is a name that the operator chose or has a low cardinality.
//! Instruments whose only attribute is the component are bound to it once, which makes each measurement many times cheaper.

use std::sync::Arc;

use opentelemetry::KeyValue;
use opentelemetry::metrics::{
    BoundCounter, BoundHistogram, BoundUpDownCounter, Counter, Histogram, Meter, UpDownCounter,
};

use crate::sink::Telemetry;

/// Bucket boundaries in seconds that the semantic conventions recommend.
const SECONDS: [f64; 14] = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0];
/// Bucket boundaries in seconds for durations in the range of microseconds.
const SHORT_SECONDS: [f64; 12] = [1e-5, 2.5e-5, 5e-5, 1e-4, 2.5e-4, 5e-4, 1e-3, 5e-3, 0.025, 0.1, 1.0, 5.0];
/// Bucket boundaries in bytes for linear memory: from one page to beyond the default limit.
const BYTES: [f64; 8] = [65_536.0, 1_048_576.0, 4_194_304.0, 16_777_216.0, 67_108_864.0, 134_217_728.0, 1e9, 4e9];

macro_rules! metrics {
    (
        with_attributes { $($(#[$doc:meta])* $name:ident: $kind:ty = |$meter:ident| $make:expr;)* }
        bound_to_component {
            $($(#[$bound_doc:meta])* $bound:ident: $bound_kind:ty = |$bound_meter:ident| $bound_make:expr;)*
        }
    ) => {
        /// The instruments of a runtime, one field each.
        #[derive(Clone, Debug)]
        pub struct Metrics {
            component: KeyValue,
            $($(#[$doc])* pub $name: $kind,)*
            $($(#[$bound_doc])* pub $bound: $bound_kind,)*
        }

        impl Metrics {
            /// Creates the instruments of a runtime that serves `component`, with `meter`.
            pub fn new(meter: &Meter, component: &str) -> Self {
                let component = KeyValue::new("tempo.component", Arc::<str>::from(component));
                let own = std::slice::from_ref(&component);
                $(let $name = { let $meter = meter; $make };)*
                $(let $bound = { let $bound_meter = meter; $bound_make }.bind(own);)*
                Self { $($name,)* $($bound,)* component }
            }
        }
    };
}

fn seconds(meter: &Meter, name: &'static str, description: &'static str) -> Histogram<f64> {
    meter.f64_histogram(name).with_unit("s").with_description(description).with_boundaries(SECONDS.into()).build()
}

fn short_seconds(meter: &Meter, name: &'static str, description: &'static str) -> Histogram<f64> {
    meter.f64_histogram(name).with_unit("s").with_description(description).with_boundaries(SHORT_SECONDS.into()).build()
}

fn counter(meter: &Meter, name: &'static str, unit: &'static str, description: &'static str) -> Counter<u64> {
    meter.u64_counter(name).with_unit(unit).with_description(description).build()
}

fn gauge(meter: &Meter, name: &'static str, unit: &'static str, description: &'static str) -> UpDownCounter<i64> {
    meter.i64_up_down_counter(name).with_unit(unit).with_description(description).build()
}

metrics! {
    with_attributes {
        /// Duration of requests to the component, in seconds.
        http_server_duration: Histogram<f64> =
            |meter| seconds(meter, "http.server.request.duration", "Duration of HTTP server requests");
        /// Running requests.
        http_server_active: UpDownCounter<i64> =
            |meter| gauge(meter, "http.server.active_requests", "{request}", "Requests that run");
        /// Time from an outbound request of the component to the head of its response, in seconds.
        http_client_duration: Histogram<f64> =
            |meter| seconds(meter, "http.client.request.duration", "Duration of HTTP client requests");
        /// Outbound requests of the component that wait for the head of their response.
        http_client_active: UpDownCounter<i64> =
            |meter| gauge(meter, "http.client.active_requests", "{request}", "Requests whose response has not begun");
        /// Duration of broker operations, in seconds.
        messaging_operation_duration: Histogram<f64> =
            |meter| seconds(meter, "messaging.client.operation.duration", "Duration of operations with a broker");
        /// Messages that the component sent.
        messaging_sent: Counter<u64> =
            |meter| counter(meter, "messaging.client.sent.messages", "{message}", "Messages that the component sent");
        /// Messages that were delivered to the runtime.
        messaging_consumed: Counter<u64> =
            |meter| counter(meter, "messaging.client.consumed.messages", "{message}", "Messages delivered to the runtime");
        /// Duration of the component's message handler, in seconds.
        messaging_process_duration: Histogram<f64> =
            |meter| seconds(meter, "messaging.process.duration", "Duration of handling a message");
        /// Delivered messages by their settlement.
        messages_settled: Counter<u64> =
            |meter| counter(meter, "tempo.messages.settled", "{message}", "Messages by what became of them");
        /// Duration of store operations, in seconds.
        db_operation_duration: Histogram<f64> =
            |meter| seconds(meter, "db.client.operation.duration", "Duration of operations on stores");
        /// Operations refused or ended by a limit.
        limit_hits: Counter<u64> =
            |meter| counter(meter, "tempo.limit.hits", "{hit}", "How often a limit stopped something");
        /// Duration of host calls that are neither requests, messages nor store operations, in seconds.
        host_call_duration: Histogram<f64> =
            |meter| short_seconds(meter, "tempo.host.call.duration", "Duration of calls of configuration, logging and telemetry");
    }
    bound_to_component {
        /// Instances created.
        instances_created: BoundCounter<u64> =
            |meter| counter(meter, "tempo.instances.created", "{instance}", "Instances that were made");
        /// Calls that reused an instance.
        instances_reused: BoundCounter<u64> =
            |meter| counter(meter, "tempo.instances.reused", "{call}", "Calls in an instance that had served before");
        /// Instances that trapped or were interrupted.
        instances_trapped: BoundCounter<u64> =
            |meter| counter(meter, "tempo.instances.trapped", "{instance}", "Instances that trapped or were stopped");
        /// Existing stores.
        instances_alive: BoundUpDownCounter<i64> =
            |meter| gauge(meter, "tempo.instances.alive", "{instance}", "Instances that exist");
        /// Idle instances, kept for reuse.
        instances_idle: BoundUpDownCounter<i64> =
            |meter| gauge(meter, "tempo.instances.idle", "{instance}", "Instances that wait for their next call");
        /// Calls queued for admission.
        calls_waiting: BoundUpDownCounter<i64> =
            |meter| gauge(meter, "tempo.calls.waiting", "{call}", "Calls that wait for a place to run");
        /// Time that queued calls waited for admission, in seconds.
        queue_duration: BoundHistogram<f64> =
            |meter| seconds(meter, "tempo.queue.duration", "How long calls waited for a place to run, if they had to");
        /// Duration of instantiation, in seconds.
        instantiate_duration: BoundHistogram<f64> =
            |meter| short_seconds(meter, "tempo.instantiate.duration", "How long it took to make an instance");
        /// Processor time of guests, in seconds.
        call_cpu: BoundCounter<f64> = |meter| meter
            .f64_counter("tempo.call.cpu_time").with_unit("s").with_description("The time that guests computed").build();
        /// Linear memory of an instance after a call, in bytes.
        call_memory: BoundHistogram<u64> = |meter| meter
            .u64_histogram("tempo.call.memory").with_unit("By").with_description("Linear memory of an instance after a call")
            .with_boundaries(BYTES.into()).build();
    }
}

/// Holds a gauge one higher until it is dropped.
#[derive(Debug, Default)]
pub struct GaugeGuard {
    gauge: Option<BoundUpDownCounter<i64>>,
}

impl GaugeGuard {
    /// Adds one to the gauge that `gauge` selects from the metrics of `telemetry`.
    pub fn new(telemetry: &Telemetry, gauge: impl FnOnce(&Metrics) -> &BoundUpDownCounter<i64>) -> Self {
        let gauge = telemetry.metrics().map(|metrics| gauge(metrics).clone());
        if let Some(gauge) = &gauge {
            gauge.add(1);
        }
        Self { gauge }
    }
}

impl Drop for GaugeGuard {
    fn drop(&mut self) {
        if let Some(gauge) = &self.gauge {
            gauge.add(-1);
        }
    }
}

impl Metrics {
    /// Returns the attribute that names the component.
    pub fn component(&self) -> &KeyValue {
        &self.component
    }

    /// Counts a hit of `limit`.
    pub fn count_limit_hit(&self, limit: &'static str) {
        self.limit_hits.add(1, &[self.component.clone(), KeyValue::new("tempo.limit", limit)]);
    }
}
