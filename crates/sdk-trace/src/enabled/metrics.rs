//! Aggregates metrics, and exports them before the component waits and when its call ends.
//!
//! Instances are many and short-lived, so every export has delta temporality: the host adds up.

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
use super::instruments::UseRecorded;
use super::metric_data;

/// True if a measurement was recorded since the last export.
pub(super) static RECORDED: AtomicBool = AtomicBool::new(false);

/// True if there are observable instruments: they have a value at the end of every call.
pub(super) static OBSERVED: AtomicBool = AtomicBool::new(false);

static READER: OnceLock<DeltaReader> = OnceLock::new();

/// Installs the global meter provider.
pub(super) fn install() {
    let reader = READER.get_or_init(|| DeltaReader(Arc::new(ManualReader::builder().build())));
    let resource = Resource::builder_empty().build();
    let meters = SdkMeterProvider::builder().with_reader(reader.clone()).with_resource(resource).build();
    global::set_meter_provider(UseRecorded(meters));
}

/// Exports the measurements since the last export, if there are any. Handlers need not call it: the SDK calls it before
/// the component waits and at the end of every call.
pub fn flush() {
    if RECORDED.swap(false, Ordering::Relaxed) {
        export();
    }
}

/// Exports at the end of a call, with the values of observable instruments.
pub(super) fn flush_at_end() {
    if RECORDED.swap(false, Ordering::Relaxed) || OBSERVED.load(Ordering::Relaxed) {
        export();
    }
}

fn export() {
    let Some(reader) = READER.get() else { return };
    let mut collected = ResourceMetrics::default();
    // Collecting fails only on a reader that was shut down; nothing shuts this one down.
    if reader.collect(&mut collected).is_err() {
        return;
    }
    let collected = metric_data::convert(&collected);
    if collected.scope_metrics.is_empty() {
        return;
    }
    if let Err(error) = metrics::export(&collected) {
        eprintln!("error: the host rejected the metrics: {error}");
    }
}

/// A manual reader with delta temporality for every kind of instrument. (The SDK's own delta preference excludes
/// up-down counters, whose last values per instance are meaningless.)
#[derive(Clone)]
struct DeltaReader(Arc<ManualReader>);

impl MetricReader for DeltaReader {
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

impl fmt::Debug for DeltaReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Delta")
    }
}
