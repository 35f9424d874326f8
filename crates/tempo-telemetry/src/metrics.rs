//! Every instrument of the runtime, in one place: names, units and buckets by the semantic conventions of OpenTelemetry
//! where they have them, else under `tempo.`.
//!
//! No attribute takes its values from a client or a guest: they are the operator's names, or words of a small set. What is
//! measured in each call and has no attribute but the component is bound to it once, which makes it many times cheaper.

use std::sync::Arc;

use opentelemetry::KeyValue;
use opentelemetry::metrics::{
    BoundCounter, BoundHistogram, BoundUpDownCounter, Counter, Histogram, Meter, UpDownCounter,
};

use crate::sink::Telemetry;

/// The buckets that the conventions advise for durations in seconds.
const SECONDS: [f64; 14] = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0];
/// For what takes microseconds rather than milliseconds.
const SHORT: [f64; 12] = [1e-5, 2.5e-5, 5e-5, 1e-4, 2.5e-4, 5e-4, 1e-3, 5e-3, 0.025, 0.1, 1.0, 5.0];
/// Linear memory: from a page to the default limit and beyond.
const BYTES: [f64; 8] = [65_536.0, 1_048_576.0, 4_194_304.0, 16_777_216.0, 67_108_864.0, 134_217_728.0, 1e9, 4e9];

macro_rules! metrics {
    (
        with_attributes { $($(#[$doc:meta])* $name:ident: $kind:ty = |$meter:ident| $make:expr;)* }
        of_the_component {
            $($(#[$bound_doc:meta])* $bound:ident: $bound_kind:ty = |$bound_meter:ident| $bound_make:expr;)*
        }
    ) => {
        /// The instruments. Whoever has a measurement takes it to the one that it belongs to.
        #[derive(Clone, Debug)]
        pub struct Metrics {
            component: KeyValue,
            $($(#[$doc])* pub $name: $kind,)*
            $($(#[$bound_doc])* pub $bound: $bound_kind,)*
        }

        impl Metrics {
            /// The instruments of a runtime that serves `component`, made by `meter`.
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

fn short(meter: &Meter, name: &'static str, description: &'static str) -> Histogram<f64> {
    meter.f64_histogram(name).with_unit("s").with_description(description).with_boundaries(SHORT.into()).build()
}

fn counter(meter: &Meter, name: &'static str, unit: &'static str, description: &'static str) -> Counter<u64> {
    meter.u64_counter(name).with_unit(unit).with_description(description).build()
}

fn gauge(meter: &Meter, name: &'static str, unit: &'static str, description: &'static str) -> UpDownCounter<i64> {
    meter.i64_up_down_counter(name).with_unit(unit).with_description(description).build()
}

metrics! {
    with_attributes {
        /// How long requests to the component took, in seconds.
        http_server_duration: Histogram<f64> =
            |meter| seconds(meter, "http.server.request.duration", "Duration of HTTP server requests");
        /// Requests that run.
        http_server_active: UpDownCounter<i64> =
            |meter| gauge(meter, "http.server.active_requests", "{request}", "Requests that run");
        /// How long the component's own requests took until their response began, in seconds.
        http_client_duration: Histogram<f64> =
            |meter| seconds(meter, "http.client.request.duration", "Duration of HTTP client requests");
        /// The component's own requests whose response has not begun.
        http_client_active: UpDownCounter<i64> =
            |meter| gauge(meter, "http.client.active_requests", "{request}", "Requests whose response has not begun");
        /// How long an operation with a broker took, in seconds.
        messaging_operation_duration: Histogram<f64> =
            |meter| seconds(meter, "messaging.client.operation.duration", "Duration of operations with a broker");
        /// Messages that the component sent.
        messaging_sent: Counter<u64> =
            |meter| counter(meter, "messaging.client.sent.messages", "{message}", "Messages that the component sent");
        /// Messages that were delivered to the runtime.
        messaging_consumed: Counter<u64> =
            |meter| counter(meter, "messaging.client.consumed.messages", "{message}", "Messages delivered to the runtime");
        /// How long the component took to handle a message, in seconds.
        messaging_process_duration: Histogram<f64> =
            |meter| seconds(meter, "messaging.process.duration", "Duration of handling a message");
        /// What became of the messages that were delivered.
        messages_settled: Counter<u64> =
            |meter| counter(meter, "tempo.messages.settled", "{message}", "Messages by what became of them");
        /// How long an operation on a store took, in seconds.
        db_operation_duration: Histogram<f64> =
            |meter| seconds(meter, "db.client.operation.duration", "Duration of operations on stores");
        /// How often something was refused or ended because of a limit.
        limit_hits: Counter<u64> =
            |meter| counter(meter, "tempo.limit.hits", "{hit}", "How often a limit stopped something");
        /// How long calls took of host services that are neither requests, messages nor stores, in seconds.
        host_call_duration: Histogram<f64> =
            |meter| short(meter, "tempo.host.call.duration", "Duration of calls of configuration, logging and telemetry");
    }
    of_the_component {
        /// Instances that were made.
        instances_created: BoundCounter<u64> =
            |meter| counter(meter, "tempo.instances.created", "{instance}", "Instances that were made");
        /// Calls that ran in an instance that had served before.
        instances_reused: BoundCounter<u64> =
            |meter| counter(meter, "tempo.instances.reused", "{call}", "Calls in an instance that had served before");
        /// Calls that a guest did not end by itself.
        instances_trapped: BoundCounter<u64> =
            |meter| counter(meter, "tempo.instances.trapped", "{instance}", "Instances that trapped or were stopped");
        /// Stores that exist.
        instances_alive: BoundUpDownCounter<i64> =
            |meter| gauge(meter, "tempo.instances.alive", "{instance}", "Instances that exist");
        /// Instances that wait for their next call.
        instances_idle: BoundUpDownCounter<i64> =
            |meter| gauge(meter, "tempo.instances.idle", "{instance}", "Instances that wait for their next call");
        /// Calls that wait for a place to run.
        calls_waiting: BoundUpDownCounter<i64> =
            |meter| gauge(meter, "tempo.calls.waiting", "{call}", "Calls that wait for a place to run");
        /// How long calls waited that had to, in seconds.
        queue_duration: BoundHistogram<f64> =
            |meter| seconds(meter, "tempo.queue.duration", "How long calls waited for a place to run, if they had to");
        /// How long it took to make an instance, in seconds.
        instantiate_duration: BoundHistogram<f64> =
            |meter| short(meter, "tempo.instantiate.duration", "How long it took to make an instance");
        /// The time that guests computed, in seconds.
        call_cpu: BoundCounter<f64> = |meter| meter
            .f64_counter("tempo.call.cpu_time").with_unit("s").with_description("The time that guests computed").build();
        /// The linear memory of an instance after a call, in bytes.
        call_memory: BoundHistogram<u64> = |meter| meter
            .u64_histogram("tempo.call.memory").with_unit("By").with_description("Linear memory of an instance after a call")
            .with_boundaries(BYTES.into()).build();
    }
}

/// One of what a gauge counts, for as long as it is held.
#[derive(Debug, Default)]
pub struct Counted {
    gauge: Option<BoundUpDownCounter<i64>>,
}

impl Counted {
    /// Adds one to the gauge of `telemetry` that `gauge` chooses.
    pub fn new(telemetry: &Telemetry, gauge: impl FnOnce(&Metrics) -> &BoundUpDownCounter<i64>) -> Self {
        let gauge = telemetry.metrics().map(|metrics| gauge(metrics).clone());
        if let Some(gauge) = &gauge {
            gauge.add(1);
        }
        Self { gauge }
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        if let Some(gauge) = &self.gauge {
            gauge.add(-1);
        }
    }
}

impl Metrics {
    /// The attribute that names the component.
    pub fn component(&self) -> &KeyValue {
        &self.component
    }

    /// Counts that `limit` stopped something.
    pub fn hit(&self, limit: &'static str) {
        self.limit_hits.add(1, &[self.component.clone(), KeyValue::new("tempo.limit", limit)]);
    }
}
