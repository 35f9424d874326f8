//! `Scrape`: the runtime's metrics, as text for Prometheus and as JSON for the dashboard.
//!
//! The instruments belong to a meter provider of `opentelemetry_sdk`; `opentelemetry-prometheus` is one of its readers,
//! and translates names.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use opentelemetry_prometheus::PrometheusExporter;
use opentelemetry_sdk::metrics::SdkMeterProvider;
use prometheus::proto::{Metric, MetricFamily, MetricType};
use prometheus::{Registry, TextEncoder};
use serde::Serialize;
use tempo_telemetry::LiveComponents;

use crate::ended_series::Names;
use crate::guest_metrics::GuestMetrics;

/// Content type of the Prometheus text format.
pub(crate) const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// The label of [`tempo_telemetry::COMPONENT_KEY`].
const COMPONENT_LABEL: &str = "tempo_component";

/// Reads the metrics of a meter provider and, if added with [`Builder::scrape`](crate::Builder::scrape), those of
/// guests. Clones share their state.
#[derive(Clone, Debug)]
pub struct Scrape {
    registry: Registry,
    started: Arc<OnceLock<(Arc<GuestMetrics>, LiveComponents)>>,
}

/// A metric with all its series, by their labels: the value of a counter or gauge, or the count, sum and buckets of a
/// histogram.
#[derive(Debug, Serialize)]
pub struct Family {
    name: String,
    series: Vec<Series>,
}

/// One combination of labels.
#[derive(Debug, Serialize)]
struct Series {
    labels: BTreeMap<String, String>,
    /// Set for counters and gauges.
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<f64>,
    /// Set for histograms.
    #[serde(skip_serializing_if = "Option::is_none", flatten)]
    histogram: Option<Histogram>,
}

#[derive(Debug, Serialize)]
struct Histogram {
    count: u64,
    sum: f64,
    /// Upper bounds with cumulative counts. `count` includes values above the last bound.
    buckets: Vec<(f64, u64)>,
}

impl Scrape {
    /// Creates a scrape, and the reader to add to a meter provider:
    /// `SdkMeterProvider::builder().with_reader(reader)`.
    ///
    /// # Errors
    ///
    /// None in practice: registration in a new registry cannot fail.
    pub fn new() -> anyhow::Result<(Self, PrometheusExporter)> {
        let registry = Registry::new();
        // All instruments have the same scope: a label for it would be redundant.
        let exporter = opentelemetry_prometheus::exporter().with_registry(registry.clone()).scope_info_enabled(false);
        Ok((Self { registry, started: Arc::default() }, exporter.build()?))
    }

    /// Creates a scrape with a meter provider that has no other reader.
    ///
    /// # Errors
    ///
    /// As [`Scrape::new`].
    pub fn with_provider() -> anyhow::Result<(Self, SdkMeterProvider)> {
        let (scrape, reader) = Self::new()?;
        Ok((scrape, SdkMeterProvider::builder().with_reader(reader).build()))
    }

    /// Adds the metrics of `guests`, and leaves out those of components that are not `live` any more. Later calls have no effect.
    pub(crate) fn show(&self, guests: &Arc<GuestMetrics>, live: &LiveComponents) {
        let _ = self.started.set((Arc::clone(guests), live.clone()));
    }

    fn gather(&self) -> Vec<MetricFamily> {
        let mut families = self.registry.gather();
        if let Some((guests, live)) = self.started.get() {
            let ended = live.ended();
            if !guests.is_exported() {
                guests.forget(&ended);
            }
            families.extend(guests.families(&families));
            if !ended.is_empty() {
                families.iter_mut().for_each(|family| family.mut_metric().retain(|metric| !is_ended(metric, &ended)));
                families.retain(|family| !family.get_metric().is_empty());
            }
        }
        families
    }

    /// Returns the metrics in the Prometheus text format, version 0.0.4.
    pub fn text(&self) -> String {
        let mut text = String::new();
        for family in self.gather() {
            // A family that cannot be written, which is an empty one, must not hide the others.
            let length = text.len();
            if TextEncoder::new().encode_utf8(&[family], &mut text).is_err() {
                text.truncate(length);
            }
        }
        text
    }

    /// Returns the metrics as data that serializes to JSON.
    pub fn families(&self) -> Vec<Family> {
        self.gather().iter().map(Family::of).collect()
    }
}

fn is_ended(metric: &Metric, ended: &Names) -> bool {
    metric.get_label().iter().any(|label| label.name() == COMPONENT_LABEL && ended.contains(label.value()))
}

impl Family {
    fn of(family: &MetricFamily) -> Self {
        let kind = family.get_field_type();
        let series = family.get_metric().iter().map(|metric| Series::of(kind, metric)).collect();
        Self { name: family.name().to_owned(), series }
    }
}

impl Series {
    fn of(kind: MetricType, metric: &Metric) -> Self {
        let labels = metric.get_label().iter().map(|label| (label.name().to_owned(), label.value().to_owned()));
        let value = match kind {
            MetricType::COUNTER => Some(metric.get_counter().get_value()),
            MetricType::GAUGE => Some(metric.get_gauge().get_value()),
            _ => None,
        };
        let histogram = (kind == MetricType::HISTOGRAM).then(|| {
            let histogram = metric.get_histogram();
            let buckets = histogram.get_bucket().iter();
            let finite = buckets.filter(|bucket| bucket.upper_bound().is_finite());
            Histogram {
                count: histogram.get_sample_count(),
                sum: histogram.get_sample_sum(),
                buckets: finite.map(|bucket| (bucket.upper_bound(), bucket.cumulative_count())).collect(),
            }
        });
        Self { labels: labels.collect(), value, histogram }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use opentelemetry::KeyValue;
    use opentelemetry::metrics::MeterProvider as _;
    use tempo_telemetry::ComponentMeter;

    #[test]
    fn names_and_units_are_those_of_prometheus() {
        let (scrape, provider) = Scrape::with_provider().unwrap();
        let meter = ComponentMeter::new(provider.meter("tempo"), "app");
        let component = meter.component();
        let requests = meter.seconds("http.server.request.duration", "Requests");
        requests.record(0.02, &[KeyValue::new("http.request.method", "GET")]);
        meter.counter("tempo.instances.created", "{instance}", "Instances").add(3, component);
        meter.up_down_counter("tempo.instances.alive", "{instance}", "Instances").bind(component).add(2);
        meter.meter().f64_counter("tempo.call.cpu_time").with_unit("s").build().add(0.5, component);
        meter.meter().u64_histogram("tempo.call.memory").with_unit("By").build().record(70_000, component);
        let text = scrape.text();
        for line in [
            "# TYPE http_server_request_duration_seconds histogram",
            "http_server_request_duration_seconds_bucket{http_request_method=\"GET\",le=\"0.025\"} 1",
            "tempo_instances_created_total{tempo_component=\"app\"} 3",
            "tempo_instances_alive{tempo_component=\"app\"} 2",
            "tempo_call_cpu_time_seconds_total{tempo_component=\"app\"} 0.5",
            "tempo_call_memory_bytes_count{tempo_component=\"app\"} 1",
        ] {
            assert!(text.lines().any(|found| found == line), "no {line} in\n{text}");
        }
        assert!(!text.contains("otel_scope"), "{text}");
    }

    /// Attributes must not come from guests or clients; if one does by mistake, the number of series is bounded.
    #[test]
    fn the_series_of_an_instrument_are_bounded() {
        let (scrape, provider) = Scrape::with_provider().unwrap();
        let counter = provider.meter("tempo").u64_counter("test").build();
        (0..10_000).for_each(|number| counter.add(1, &[KeyValue::new("number", number)]));
        let text = scrape.text();
        let values = text.lines().filter_map(|line| line.strip_prefix("test_total{")?.split(' ').nth(1)?.parse().ok());
        let values: Vec<u64> = values.collect();
        assert!((1_000..=2_001).contains(&values.len()), "{}", values.len());
        assert_eq!(values.iter().sum::<u64>(), 10_000);
    }

    #[test]
    fn the_dashboard_is_given_the_same() {
        let (scrape, provider) = Scrape::with_provider().unwrap();
        let meter = ComponentMeter::new(provider.meter("tempo"), "app");
        let memory = meter.meter().u64_histogram("tempo.call.memory").with_unit("By");
        let memory = memory.with_boundaries(vec![65_536.0, 1_048_576.0]).build();
        memory.bind(meter.component()).record(70_000);
        meter.up_down_counter("tempo.instances.idle", "{instance}", "Instances").add(4, &[]);
        let families = serde_json::to_value(scrape.families()).unwrap();
        let find = |name: &str| families.as_array().unwrap().iter().find(|family| family["name"] == name).unwrap();
        assert_eq!(find("tempo_instances_idle")["series"][0]["value"], 4.0);
        let memory = &find("tempo_call_memory_bytes")["series"][0];
        assert_eq!((memory["count"].as_u64(), memory["sum"].as_f64()), (Some(1), Some(70_000.0)));
        assert_eq!(memory["buckets"][1], serde_json::json!([1_048_576.0, 1]));
    }
}
