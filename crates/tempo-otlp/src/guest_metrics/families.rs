//! Aggregated metrics as Prometheus families.
//!
//! Prometheus distinguishes metrics by less than OpenTelemetry, and rejects a page in which two families have one name,
//! or two lines the same labels. So series that are the same to Prometheus are merged; a guest's metric is skipped if
//! another metric of its name has a different kind, or if it has the name of a host's line.

use std::collections::{BTreeMap, HashSet};

use opentelemetry_proto::tonic::common::v1::InstrumentationScope;
use prometheus::proto::{self, LabelPair, MetricFamily, MetricType};
use prost::Message as _;

use super::identity::{Identity, Kind, attributes};
use super::value::{Histogram, Value};
use super::{names, sums};
use crate::value_text::value_text;

const SCOPE_LABEL: &str = "otel_scope_name";
/// Description of a metric that has none.
const DEFAULT_HELP: &str = "A metric of the component";

/// Maximum size of the guests' lines on a page, in bytes: a histogram repeats its labels for each bucket, so that a
/// page can be a thousand times larger than the sums.
const MAX_PAGE_BYTES: usize = 4 << 20;
/// Approximate size of a line besides its name and labels, in bytes.
const LINE_OVERHEAD: usize = 32;
/// Size of a label besides its name and value, in bytes.
const LABEL_OVERHEAD: usize = 4;

type Labels = BTreeMap<String, String>;

/// Prometheus families of guests.
pub(crate) struct Families {
    /// The names of all lines, including the host's.
    taken: HashSet<String>,
    /// Remainder of [`MAX_PAGE_BYTES`].
    room: usize,
    families: BTreeMap<String, Family>,
}

struct Family {
    kind: Kind,
    help: String,
    /// With the bounds of its buckets, as in [`Identity`].
    series: BTreeMap<Labels, (Vec<u64>, Value)>,
}

impl Families {
    pub(crate) fn beside(host: &[MetricFamily]) -> Self {
        let names = host
            .iter()
            .flat_map(|family| names::lines(family.name(), family.get_field_type() == MetricType::HISTOGRAM));
        Self { taken: names.collect(), room: MAX_PAGE_BYTES, families: BTreeMap::new() }
    }

    pub(crate) fn add(&mut self, metric: &sums::Metric) {
        let identity = &*metric.identity;
        let name = names::family(&identity.name, &identity.unit, identity.kind);
        if !self.families.contains_key(&name) {
            let lines = names::lines(&name, identity.kind == Kind::Histogram);
            if lines.iter().any(|line| self.taken.contains(line)) {
                return;
            }
            self.taken.extend(lines);
        }
        let help =
            || if metric.description.is_empty() { DEFAULT_HELP.to_owned() } else { metric.description.to_string() };
        let new = || Family { kind: identity.kind, help: help(), series: BTreeMap::new() };
        let length = name.len();
        let family = self.families.entry(name).or_insert_with(new);
        if family.kind != identity.kind {
            return;
        }
        let scope = InstrumentationScope::decode(&*identity.scope).map(|scope| scope.name).unwrap_or_default();
        for (key, series) in &metric.series {
            let labels = labels(&scope, key);
            let known = family.series.contains_key(&labels);
            let size = if known { 0 } else { size(identity, length, &labels) };
            // The order of metrics is stable, so the same ones are skipped each time.
            if let Some(room) = self.room.checked_sub(size) {
                self.room = room;
                family.put(identity, labels, &series.value);
            }
        }
    }

    pub(crate) fn finish(self) -> Vec<MetricFamily> {
        self.families.into_iter().filter(|(_, family)| !family.series.is_empty()).map(Family::finish).collect()
    }
}

/// Returns the approximate size of the lines of a series, in bytes.
fn size(identity: &Identity<'_>, name: usize, labels: &Labels) -> usize {
    let lines = if identity.kind == Kind::Histogram { identity.bounds.len().saturating_add(3) } else { 1 };
    let labels =
        labels.iter().map(|(name, value)| name.len().saturating_add(value.len()).saturating_add(LABEL_OVERHEAD));
    lines.saturating_mul(labels.fold(name.saturating_add(LINE_OVERHEAD), usize::saturating_add))
}

/// Returns the labels of a series. Values of keys that become equal are joined, as in `opentelemetry-prometheus`.
fn labels(scope: &str, key: &[u8]) -> Labels {
    let mut labels = Labels::from([(SCOPE_LABEL.to_owned(), scope.to_owned())]);
    for attribute in attributes(key) {
        let value = attribute.value.as_ref().map(value_text).unwrap_or_default();
        labels
            .entry(names::label(&attribute.key))
            .and_modify(|values| {
                values.push(';');
                values.push_str(&value);
            })
            .or_insert(value);
    }
    labels
}

impl Family {
    fn put(&mut self, identity: &Identity<'_>, labels: Labels, value: &Value) {
        let (bounds, sum) = match self.series.entry(labels) {
            std::collections::btree_map::Entry::Occupied(entry) => entry.into_mut(),
            std::collections::btree_map::Entry::Vacant(entry) => {
                entry.insert((identity.bounds.to_vec(), value.clone()));
                return;
            }
        };
        match self.kind {
            Kind::Gauge => *sum = value.clone(),
            // Buckets with different bounds cannot be merged.
            _ if *bounds == *identity.bounds => sum.add(value),
            _ => {}
        }
    }

    fn finish((name, family): (String, Self)) -> MetricFamily {
        let kind = match family.kind {
            Kind::Counter => MetricType::COUNTER,
            Kind::Gauge | Kind::UpDown => MetricType::GAUGE,
            Kind::Histogram => MetricType::HISTOGRAM,
        };
        let metrics = family.series.into_iter().map(|(labels, (bounds, value))| metric(kind, labels, &bounds, &value));
        let metrics = metrics.collect();
        let mut family_proto = MetricFamily::default();
        family_proto.set_name(name);
        family_proto.set_help(family.help);
        family_proto.set_field_type(kind);
        family_proto.set_metric(metrics);
        family_proto
    }
}

fn metric(kind: MetricType, labels: Labels, bounds: &[u64], value: &Value) -> proto::Metric {
    let pair = |(name, value)| {
        let mut pair = LabelPair::default();
        pair.set_name(name);
        pair.set_value(value);
        pair
    };
    let mut metric = proto::Metric::default();
    metric.set_label(labels.into_iter().map(pair).collect());
    match value {
        Value::Number(number) if kind == MetricType::COUNTER => {
            let mut counter = proto::Counter::default();
            counter.set_value(number.to_f64());
            metric.set_counter(counter);
        }
        Value::Number(number) => {
            let mut gauge = proto::Gauge::default();
            gauge.set_value(number.to_f64());
            metric.set_gauge(gauge);
        }
        Value::Histogram(value) => metric.set_histogram(histogram(bounds, value)),
    }
    metric
}

fn histogram(bounds: &[u64], value: &Histogram) -> proto::Histogram {
    let mut within = 0_u64;
    let buckets = bounds.iter().zip(&value.buckets).filter_map(|(bits, count)| {
        within = within.saturating_add(*count);
        let bound = f64::from_bits(*bits);
        let mut bucket = proto::Bucket::default();
        bucket.set_upper_bound(bound);
        bucket.set_cumulative_count(within);
        // The unbounded bucket is always written.
        bound.is_finite().then_some(bucket)
    });
    let mut histogram = proto::Histogram::default();
    histogram.set_bucket(buckets.collect());
    histogram.set_sample_count(value.count);
    histogram.set_sample_sum(value.sum);
    histogram
}
