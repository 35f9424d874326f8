//! The instruments of instances and calls, bound to the component.

use opentelemetry::metrics::{BoundCounter, BoundHistogram, BoundUpDownCounter};
use tempo_telemetry::{ComponentMeter, Instruments};

/// Bucket boundaries in bytes for linear memory: from one page to beyond the default limit.
const BYTES: [f64; 8] = [65_536.0, 1_048_576.0, 4_194_304.0, 16_777_216.0, 67_108_864.0, 134_217_728.0, 1e9, 4e9];

#[derive(Debug)]
pub(crate) struct CallInstruments {
    pub(crate) instances_created: BoundCounter<u64>,
    pub(crate) instances_reused: BoundCounter<u64>,
    /// Instances that trapped or were interrupted.
    pub(crate) instances_trapped: BoundCounter<u64>,
    /// Existing stores.
    pub(crate) instances_alive: BoundUpDownCounter<i64>,
    pub(crate) instances_idle: BoundUpDownCounter<i64>,
    /// Calls queued for admission.
    pub(crate) calls_waiting: BoundUpDownCounter<i64>,
    /// Time that queued calls waited for admission.
    pub(crate) queue_duration: BoundHistogram<f64>,
    pub(crate) instantiate_duration: BoundHistogram<f64>,
    pub(crate) cpu_time: BoundCounter<f64>,
    /// Linear memory of an instance after a call.
    pub(crate) memory: BoundHistogram<u64>,
}

impl Instruments for CallInstruments {
    fn register(meter: &ComponentMeter) -> Self {
        let own = meter.component();
        let counter = |name, unit, description| meter.counter(name, unit, description).bind(own);
        let present = |name, unit, description| meter.up_down_counter(name, unit, description).bind(own);
        Self {
            instances_created: counter("tempo.instances.created", "{instance}", "Instances that were made"),
            instances_reused: counter(
                "tempo.instances.reused",
                "{call}",
                "Calls in an instance that had served before",
            ),
            instances_trapped: counter(
                "tempo.instances.trapped",
                "{instance}",
                "Instances that trapped or were stopped",
            ),
            instances_alive: present("tempo.instances.alive", "{instance}", "Instances that exist"),
            instances_idle: present("tempo.instances.idle", "{instance}", "Instances that wait for their next call"),
            calls_waiting: present("tempo.calls.waiting", "{call}", "Calls that wait for a place to run"),
            queue_duration: meter
                .seconds("tempo.queue.duration", "How long calls waited for a place to run, if they had to")
                .bind(own),
            instantiate_duration: meter
                .short_seconds("tempo.instantiate.duration", "How long it took to make an instance")
                .bind(own),
            cpu_time: cpu_time(meter),
            memory: memory(meter),
        }
    }
}

fn cpu_time(meter: &ComponentMeter) -> BoundCounter<f64> {
    let counter = meter.meter().f64_counter("tempo.call.cpu_time").with_unit("s");
    counter.with_description("The time that guests computed").build().bind(meter.component())
}

fn memory(meter: &ComponentMeter) -> BoundHistogram<u64> {
    let histogram = meter.meter().u64_histogram("tempo.call.memory").with_unit("By");
    let histogram = histogram.with_description("Linear memory of an instance after a call");
    histogram.with_boundaries(BYTES.into()).build().bind(meter.component())
}
