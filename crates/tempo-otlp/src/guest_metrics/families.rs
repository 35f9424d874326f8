//! The sums as families of Prometheus, beside those of the host.
//!
//! Prometheus tells metrics apart by less than OpenTelemetry does, and a page on which two families have one name, or two
//! lines the same labels, is no page at all to it. So series that look the same to it are summed; a metric of a guest that
//! is of another kind than one of its name, or has the name of one of the host's lines, is left out.

use std::collections::{BTreeMap, HashSet};

use opentelemetry_proto::tonic::common::v1::InstrumentationScope;
use prometheus::proto::{self, LabelPair, MetricFamily, MetricType};
use prost::Message as _;

use super::identity::{Identity, Kind, attributes};
use super::value::{Histogram, Value};
use super::{names, sums};
use crate::otlp_rows::value_text;

const SCOPE: &str = "otel_scope_name";
/// What is said of a metric that says nothing of itself.
const NO_HELP: &str = "A metric of the component";

/// What the lines of guests may have of a page, in bytes: a histogram repeats its labels for each bucket, so that what is
/// small where it is kept may be a thousand times as large here.
const PAGE: usize = 4 << 20;
/// What a line takes besides its name and labels, about.
const LINE: usize = 32;
/// What a label takes besides its name and value.
const LABEL: usize = 4;

type Labels = BTreeMap<String, String>;

/// The families of guests.
pub(crate) struct Families {
    /// The names of all lines, the host's too.
    taken: HashSet<String>,
    /// What is left of [`PAGE`].
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
        Self { taken: names.collect(), room: PAGE, families: BTreeMap::new() }
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
        let help = || if metric.description.is_empty() { NO_HELP.to_owned() } else { metric.description.to_string() };
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
            // Which ones are left out is the same each time, as metrics stay in their order.
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

/// What the lines of a series take, about.
fn size(identity: &Identity<'_>, name: usize, labels: &Labels) -> usize {
    let lines = if identity.kind == Kind::Histogram { identity.bounds.len().saturating_add(3) } else { 1 };
    let labels = labels.iter().map(|(name, value)| name.len().saturating_add(value.len()).saturating_add(LABEL));
    lines.saturating_mul(labels.fold(name.saturating_add(LINE), usize::saturating_add))
}

/// Keys that become one have their values joined, as `opentelemetry-prometheus` does it.
fn labels(scope: &str, key: &[u8]) -> Labels {
    let mut labels = Labels::from([(SCOPE.to_owned(), scope.to_owned())]);
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
            // Buckets with other bounds cannot be added to these.
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
        // The one without an upper bound is written in any case.
        bound.is_finite().then_some(bucket)
    });
    let mut histogram = proto::Histogram::default();
    histogram.set_bucket(buckets.collect());
    histogram.set_sample_count(value.count);
    histogram.set_sample_sum(value.sum);
    histogram
}
