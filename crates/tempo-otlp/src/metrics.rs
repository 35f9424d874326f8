//! The host's own metrics: collected by the OpenTelemetry SDK, exported through a buffer.

use std::fmt;
use std::sync::{Arc, Weak};
use std::time::Duration;

use opentelemetry_proto::tonic::common::v1::InstrumentationScope;
use opentelemetry_proto::tonic::metrics::v1::Metric;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::metrics::data::ResourceMetrics;
use opentelemetry_sdk::metrics::reader::MetricReader;
use opentelemetry_sdk::metrics::{InstrumentKind, ManualReader, Pipeline, Temporality};
use prost::Message as _;

use crate::ended_series::{Names, retain_live};
use crate::otlp::buffer::{Buffer, ScopeKey};

/// A reader shared by the provider and the telemetry thread.
#[derive(Clone)]
pub(crate) struct Shared(Arc<ManualReader>);

impl Shared {
    pub(crate) fn new(temporality: Temporality) -> Self {
        Self(Arc::new(ManualReader::builder().with_temporality(temporality).build()))
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl MetricReader for Shared {
    fn register_pipeline(&self, pipeline: Weak<Pipeline>) {
        self.0.register_pipeline(pipeline);
    }

    fn collect(&self, metrics: &mut ResourceMetrics) -> OTelSdkResult {
        self.0.collect(metrics)
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.0.force_flush()
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.0.shutdown_with_timeout(timeout)
    }

    fn temporality(&self, kind: InstrumentKind) -> Temporality {
        self.0.temporality(kind)
    }
}

/// Collects all metrics into `buffer`, without series of the `ended` components.
pub(crate) fn collect(reader: &Shared, ended: &Names, buffer: &Buffer) {
    let mut read = ResourceMetrics::default();
    if let Err(error) = reader.collect(&mut read) {
        tracing::debug!(%error, "the metrics cannot be read");
        return;
    }
    let mut message = Vec::new();
    for scope in read.scope_metrics() {
        let encoded = InstrumentationScope::from((scope.scope(), None)).encode_to_vec();
        let schema_url = scope.scope().schema_url().unwrap_or_default();
        for metric in scope.metrics() {
            message.clear();
            let mut metric = Metric::from(metric);
            if !ended.is_empty() && !retain_live(&mut metric, ended) {
                continue;
            }
            // Writing to a vector cannot fail.
            if metric.encode(&mut message).is_ok() {
                buffer.push(ScopeKey { resource: &[], scope: &encoded, schema_url }, &message);
            }
        }
    }
}
