//! What guests measure, summed here: a guest tells what is new at the end of each call, and calls run in many instances.
//!
//! Changes (delta sums and histograms) and last values (gauges) of all instances become one series each. What is already
//! cumulative is passed on as it came: each instance counts from its own beginning, so two of its points of one name are
//! two streams, and neither their sum nor the later one is the truth. So are exponential histograms, whose buckets would
//! have to be rescaled, and summaries, whose quantiles nobody can add up.
//!
//! Everything in a record is the guest's and hostile: numbers that are none are not added, and what is kept is bounded in
//! series and bytes (see [`sums`]). Examples (exemplars) are left out: kept for each series, they would take more room
//! than the sums, and a trace that was looked at is found by its own spans.

mod families;
mod identity;
mod message;
mod names;
mod reading;
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
use prost::Message as _;
use sums::{Limits, Sums};
use tempo_telemetry::{Record, Signal};

use crate::buffer::Buffer;
use crate::encode::nanos;
use crate::losses::{Losses, Reason};

/// The sums of one process.
#[derive(Debug)]
pub(crate) struct GuestMetrics {
    /// How they are sent, if they are.
    sent: Option<Temporality>,
    /// Whether Prometheus asks for them, or the dashboard.
    scraped: bool,
    limits: Limits,
    stores: Mutex<Stores>,
    losses: Arc<Losses>,
}

#[derive(Debug)]
struct Stores {
    /// Since the beginning.
    total: Sums,
    /// Since they were sent last, where it is changes that are sent.
    fresh: Sums,
}

impl GuestMetrics {
    /// `sent` is how a collector wants them, if there is one; `scraped`, whether anybody reads [`families`](Self::families).
    pub(crate) fn new(sent: Option<Temporality>, scraped: bool, losses: Arc<Losses>) -> Arc<Self> {
        Arc::new(Self::with_limits(sent, scraped, losses, sums::LIMITS))
    }

    fn with_limits(sent: Option<Temporality>, scraped: bool, losses: Arc<Losses>, limits: Limits) -> Self {
        let now = nanos(SystemTime::now());
        let stores = Mutex::new(Stores { total: Sums::new(now), fresh: Sums::new(now) });
        Self { sent, scraped, limits, stores, losses }
    }

    /// Whether `kind` is sent as changes. The specification has both `delta` and `lowmemory` send what goes up and down as
    /// a total; they differ in instruments that are asked for their value, which nobody can tell from the others here.
    fn is_sent_fresh(&self, kind: Kind) -> bool {
        matches!(self.sent, Some(Temporality::Delta | Temporality::LowMemory)) && kind != Kind::UpDown
    }

    fn is_totalled(&self, kind: Kind) -> bool {
        self.scraped || (self.sent.is_some() && !self.is_sent_fresh(kind))
    }

    /// Adds up what `record` says, or is false if that is to be passed on as it is.
    pub(crate) fn take(&self, record: &Record<'_>) -> bool {
        let Ok(metric) = Metric::decode(record.message) else {
            self.losses.add(Signal::Metrics, Reason::Invalid, 1);
            return true;
        };
        let Some(reading) = reading::read(&metric) else { return false };
        let (fresh, total) = (self.is_sent_fresh(reading.kind), self.is_totalled(reading.kind));
        let identity = Identity {
            resource: identity::resource(record.resource),
            scope: identity::scope(record.scope),
            schema_url: Cow::Borrowed(record.schema_url),
            name: Cow::Borrowed(&metric.name),
            unit: Cow::Borrowed(&metric.unit),
            kind: reading.kind,
            bounds: Cow::Borrowed(&[]),
        };
        let mut refused = 0;
        let mut stores = self.stores();
        for point in &reading.points {
            let identity = Identity { bounds: Cow::Borrowed(&point.bounds), ..identity.clone() };
            let add = |sums: &mut Sums| {
                sums.add(&self.limits, &identity, &metric.description, &point.attributes, &point.value)
            };
            // Both are told, whatever the first one says.
            let fits = [!fresh || add(&mut stores.fresh), !total || add(&mut stores.total)];
            refused += u64::from(fits.contains(&false));
        }
        drop(stores);
        self.losses.add(Signal::Metrics, Reason::Invalid, reading.invalid);
        self.losses.add(Signal::Metrics, Reason::TooManySeries, refused);
        true
    }

    /// Puts what is to be sent into `buffer`: all totals, and the changes since the last time.
    pub(crate) fn export(&self, buffer: &Buffer) {
        self.export_at(buffer, nanos(SystemTime::now()));
    }

    fn export_at(&self, buffer: &Buffer, now: u64) {
        let (fresh, now) = {
            let mut stores = self.stores();
            // A clock may be set back.
            let now = now.max(stores.total.since).max(stores.fresh.since);
            (std::mem::replace(&mut stores.fresh, Sums::new(now)), now)
        };
        for metric in &fresh.metrics {
            message::write(metric, true, now, buffer);
        }
        self.each(|metric| {
            if !self.is_sent_fresh(metric.identity.kind) {
                message::write(metric, false, now, buffer);
            }
        });
        // Only now: a series that came in between has begun before it was sent.
        self.stores().total.since = now;
    }

    /// The totals as families of Prometheus, beside those of the `host`.
    pub(crate) fn families(&self, host: &[MetricFamily]) -> Vec<MetricFamily> {
        let mut families = Families::beside(host);
        self.each(|metric| families.add(metric));
        families.finish()
    }

    /// Looks at each total. Guests wait for one of them at most, as none is ever taken away.
    fn each(&self, mut look: impl FnMut(&sums::Metric)) {
        for place in 0.. {
            let stores = self.stores();
            let Some(metric) = stores.total.metrics.get(place) else { return };
            look(metric);
        }
    }

    fn stores(&self) -> MutexGuard<'_, Stores> {
        self.stores.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
