//! `GuestMetrics`: aggregates guest metrics over instances. A guest reports its changes at the end of each call, and
//! calls run in many instances.
//!
//! Delta sums, delta histograms and gauges of all instances become one series each. Cumulative points are forwarded
//! unchanged: each instance counts from its own start, so two points of one name are two streams, which cannot be
//! combined. So are exponential histograms, whose buckets would have to be rescaled, and summaries, whose quantiles
//! cannot be added.
//!
//! Records are hostile input: non-finite numbers are dropped, and the sums are bounded in series and bytes (see
//! [`sums`]). Exemplars are dropped: per series, they would take more memory than the sums.

mod families;
mod identity;
mod message;
mod names;
mod parse;
mod sums;
mod value;

use std::borrow::Cow;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use families::Families;
use identity::{Identity, Kind};
use opentelemetry_proto::tonic::metrics::v1::Metric;
use opentelemetry_sdk::metrics::Temporality;
use prometheus::proto::MetricFamily;
use sums::{Limits, Sums};
use tempo_telemetry::{Origin, Signal};

use crate::ended_series::Names;
use crate::losses::{LossReason, Losses};
use crate::otlp::buffer::Buffer;
use crate::time::unix_nanos;

/// The aggregated metrics of one process.
#[derive(Debug)]
pub(crate) struct GuestMetrics {
    /// Temporality of the export, if metrics are exported.
    sent: Option<Temporality>,
    /// True if Prometheus or the dashboard reads them.
    scraped: bool,
    limits: Limits,
    stores: Mutex<SumStores>,
    losses: Arc<Losses>,
}

#[derive(Debug)]
struct SumStores {
    /// Sums since the start.
    total: Sums,
    /// Sums since the last export, for delta temporality.
    delta: Sums,
}

impl GuestMetrics {
    /// `sent` is the temporality of the export, if any; `scraped` is true if [`families`](Self::families) is called.
    pub(crate) fn new(sent: Option<Temporality>, scraped: bool, losses: Arc<Losses>) -> Arc<Self> {
        Arc::new(Self::with_limits(sent, scraped, losses, sums::LIMITS))
    }

    fn with_limits(sent: Option<Temporality>, scraped: bool, losses: Arc<Losses>, limits: Limits) -> Self {
        let now = unix_nanos(SystemTime::now());
        let stores = Mutex::new(SumStores { total: Sums::new(now), delta: Sums::new(now) });
        Self { sent, scraped, limits, stores, losses }
    }

    /// Returns whether `kind` is exported as deltas. The specification exports up-down counters as totals for both
    /// `delta` and `lowmemory`; these differ in asynchronous instruments only, which are indistinguishable here.
    fn is_sent_as_delta(&self, kind: Kind) -> bool {
        matches!(self.sent, Some(Temporality::Delta | Temporality::LowMemory)) && kind != Kind::UpDown
    }

    fn needs_total(&self, kind: Kind) -> bool {
        self.scraped || (self.sent.is_some() && !self.is_sent_as_delta(kind))
    }

    /// Aggregates `metric`. Returns false if it must be forwarded unchanged.
    pub(crate) fn aggregate(&self, origin: Origin<'_>, metric: &Metric) -> bool {
        let Some(parsed) = parse::parse(metric) else { return false };
        let (delta, total) = (self.is_sent_as_delta(parsed.kind), self.needs_total(parsed.kind));
        let identity = Identity {
            resource: origin.resource.map(identity::resource).unwrap_or_default().into(),
            scope: identity::scope(origin.scope).into(),
            schema_url: Cow::Borrowed(origin.schema_url),
            name: Cow::Borrowed(&metric.name),
            unit: Cow::Borrowed(&metric.unit),
            kind: parsed.kind,
            bounds: Cow::Borrowed(&[]),
        };
        let mut refused = 0;
        let mut stores = self.stores();
        for point in &parsed.points {
            let identity = Identity { bounds: Cow::Borrowed(&point.bounds), ..identity.clone() };
            let add = |sums: &mut Sums| {
                sums.add(&self.limits, &identity, &metric.description, &point.attributes, &point.value)
            };
            // Both sums are updated, even if the first one is full.
            let fits = [!delta || add(&mut stores.delta), !total || add(&mut stores.total)];
            refused += u64::from(fits.contains(&false));
        }
        drop(stores);
        self.losses.add(Signal::Metrics, LossReason::Invalid, parsed.invalid);
        self.losses.add(Signal::Metrics, LossReason::TooManySeries, refused);
        true
    }

    /// Writes all totals, and the deltas since the last export, into `buffer`.
    pub(crate) fn export(&self, buffer: &Buffer) {
        self.export_at(buffer, unix_nanos(SystemTime::now()));
    }

    fn export_at(&self, buffer: &Buffer, now: u64) {
        let (delta, now) = {
            let mut stores = self.stores();
            // The clock may be set back.
            let now = now.max(stores.total.since).max(stores.delta.since);
            (std::mem::replace(&mut stores.delta, Sums::new(now)), now)
        };
        for metric in &delta.metrics {
            message::write(metric, true, now, buffer);
        }
        self.each(|metric| {
            if !self.is_sent_as_delta(metric.identity.kind) {
                message::write(metric, false, now, buffer);
            }
        });
        // Set after the export: a series added meanwhile started before it.
        self.stores().total.since = now;
    }

    /// Returns the totals as Prometheus families, without those that conflict with the `host`'s.
    pub(crate) fn families(&self, host: &[MetricFamily]) -> Vec<MetricFamily> {
        let mut families = Families::beside(host);
        self.each(|metric| families.add(metric));
        families.finish()
    }

    /// Forgets the totals of the `ended` components.
    pub(crate) fn forget(&self, ended: &Names) {
        if !ended.is_empty() {
            self.stores().total.forget(ended);
        }
    }

    /// Returns whether the metrics are exported, which [forgets](Self::forget) series.
    pub(crate) fn is_exported(&self) -> bool {
        self.sent.is_some()
    }

    /// Visits each total, locking for one at a time. Metrics are never removed.
    fn each(&self, mut look: impl FnMut(&sums::Metric)) {
        for place in 0.. {
            let stores = self.stores();
            let Some(metric) = stores.total.metrics.get(place) else { return };
            look(metric);
        }
    }

    fn stores(&self) -> MutexGuard<'_, SumStores> {
        self.stores.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
