//! Metrics are summed up here, and exported as soon as the component waits or its call ends.
//!
//! Instances are many and short-lived, so every export holds what was recorded since the last one (delta): the host adds up.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock, Weak};
use std::time::Duration;

use opentelemetry::global;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::metrics::data::ResourceMetrics;
use opentelemetry_sdk::metrics::reader::MetricReader;
use opentelemetry_sdk::metrics::{InstrumentKind, ManualReader, Pipeline, SdkMeterProvider, Temporality};

use super::bindings::metrics;
use super::instruments::Noting;
use super::metric_data;

/// Something was recorded since the last export.
pub(super) static RECORDED: AtomicBool = AtomicBool::new(false);

/// There are instruments that are asked for their value: they have one at the end of every call.
pub(super) static OBSERVED: AtomicBool = AtomicBool::new(false);

static READER: OnceLock<Delta> = OnceLock::new();

/// Gives the API its meters.
pub(super) fn install() {
    let reader = READER.get_or_init(|| Delta(Arc::new(ManualReader::builder().build())));
    let resource = Resource::builder_empty().build();
    let meters = SdkMeterProvider::builder().with_reader(reader.clone()).with_resource(resource).build();
    global::set_meter_provider(Noting(meters));
}

/// Exports what was recorded, if anything was. Handlers need not call it: it is done whenever the component waits, and at the
/// end of every call.
pub fn flush() {
    if RECORDED.swap(false, Ordering::Relaxed) {
        export();
    }
}

/// The same at the end of a call, with the values that instruments are asked for.
pub(super) fn flush_at_end() {
    if RECORDED.swap(false, Ordering::Relaxed) || OBSERVED.load(Ordering::Relaxed) {
        export();
    }
}

fn export() {
    let Some(reader) = READER.get() else { return };
    let mut collected = ResourceMetrics::default();
    // The only error is that of a reader that was shut down, which nothing does.
    if reader.collect(&mut collected).is_err() {
        return;
    }
    let collected = metric_data::convert(&collected);
    if collected.scope_metrics.is_empty() {
        return;
    }
    if let Err(error) = metrics::export(&collected) {
        eprintln!("error: the host did not take the metrics: {error}");
    }
}

/// A reader that is asked by hand and has every kind of instrument report the change. (The SDK's own preference for deltas
/// leaves out counters that go down; their last values, of many instances, say nothing.)
#[derive(Clone)]
struct Delta(Arc<ManualReader>);

impl MetricReader for Delta {
    fn register_pipeline(&self, pipeline: Weak<Pipeline>) {
        self.0.register_pipeline(pipeline);
    }

    fn collect(&self, collected: &mut ResourceMetrics) -> OTelSdkResult {
        self.0.collect(collected)
    }

    fn force_flush(&self) -> OTelSdkResult {
        flush();
        Ok(())
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.0.shutdown_with_timeout(timeout)
    }

    fn temporality(&self, _: InstrumentKind) -> Temporality {
        Temporality::Delta
    }
}

impl fmt::Debug for Delta {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Delta")
    }
}
