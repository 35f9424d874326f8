//! `ComponentMeter`, with which each service registers its own instruments.
//!
//! Names, units and buckets of instruments follow the OpenTelemetry semantic conventions; instruments that the conventions
//! lack have the prefix `tempo.`. No attribute value comes from a client or a guest: each is a name that the operator chose
//! or has a low cardinality.

use std::any::{Any, TypeId};
use std::fmt;
use std::slice;
use std::sync::{Arc, PoisonError, RwLock};

use opentelemetry::KeyValue;
use opentelemetry::metrics::{BoundUpDownCounter, Counter, Histogram, Meter, UpDownCounter};

use crate::live_components::{LiveComponent, LiveComponents};

/// The attribute that names the component of a record: the host's spans and metrics, and the records of guests in an app.
pub const COMPONENT_KEY: &str = "tempo.component";

/// Bucket boundaries in seconds that the semantic conventions recommend.
const SECONDS: [f64; 14] = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0];
/// Bucket boundaries in seconds for durations in the range of microseconds.
const SHORT_SECONDS: [f64; 12] = [1e-5, 2.5e-5, 5e-5, 1e-4, 2.5e-4, 5e-4, 1e-3, 5e-3, 0.025, 0.1, 1.0, 5.0];

/// The instruments of a service.
///
/// ```
/// use opentelemetry::metrics::Counter;
/// use tempo_telemetry::{ComponentMeter, Instruments, Telemetry};
///
/// struct Jobs {
///     done: Counter<u64>,
/// }
///
/// impl Instruments for Jobs {
///     fn register(meter: &ComponentMeter) -> Self {
///         Self { done: meter.counter("example.jobs.done", "{job}", "Jobs that were done") }
///     }
/// }
///
/// // Once, when the service starts; metrics are off here.
/// let jobs = Telemetry::off().instruments::<Jobs>();
/// if let Some(jobs) = &jobs {
///     jobs.done.add(1, &[]);
/// }
/// ```
pub trait Instruments: Send + Sync + 'static {
    /// Creates the instruments with `meter`.
    fn register(meter: &ComponentMeter) -> Self;
}

/// The instruments that a meter has created, by their type.
type Registered = Vec<(TypeId, Arc<dyn Any + Send + Sync>)>;

/// A meter with the attribute `tempo.component`. Creates each type of [`Instruments`] once.
pub struct ComponentMeter {
    meter: Meter,
    component: KeyValue,
    in_app: bool,
    live: LiveComponents,
    /// Ends the series of the component when its last meter is dropped.
    _live: LiveComponent,
    registered: RwLock<Registered>,
}

impl ComponentMeter {
    /// Creates the meter of the component `name`.
    pub fn new(meter: Meter, name: &str) -> Self {
        Self::with(meter, name, LiveComponents::default(), false)
    }

    fn with(meter: Meter, name: &str, live: LiveComponents, in_app: bool) -> Self {
        let name = Arc::<str>::from(name);
        let (_live, component) = (live.add(&name), KeyValue::new(COMPONENT_KEY, name));
        Self { meter, component, in_app, live, _live, registered: RwLock::default() }
    }

    /// Creates the meter of another component in the same process, as part of an app.
    #[must_use]
    pub fn in_app(&self, name: &str) -> Self {
        Self::with(self.meter.clone(), name, self.live.clone(), true)
    }

    /// Returns the components whose meters exist. A reader exports no series of those that have ended.
    pub fn live_components(&self) -> &LiveComponents {
        &self.live
    }

    /// Returns the attribute that names the component if it is part of an app, for instruments without it. A component that
    /// is alone in its process is named by the resource.
    pub fn labels(&self) -> &[KeyValue] {
        if self.in_app { self.component() } else { &[] }
    }

    /// Returns the meter, for instruments of another kind than those of the methods.
    pub fn meter(&self) -> &Meter {
        &self.meter
    }

    /// Returns the attribute that names the component, for the binding of an instrument, which makes each measurement many
    /// times cheaper.
    pub fn component(&self) -> &[KeyValue] {
        slice::from_ref(&self.component)
    }

    /// Creates a histogram of durations in seconds, with the recommended buckets.
    pub fn seconds(&self, name: &'static str, description: &'static str) -> Histogram<f64> {
        self.durations(name, description, SECONDS.into())
    }

    /// Creates a histogram of durations in seconds, with buckets from 10 µs.
    pub fn short_seconds(&self, name: &'static str, description: &'static str) -> Histogram<f64> {
        self.durations(name, description, SHORT_SECONDS.into())
    }

    fn durations(&self, name: &'static str, description: &'static str, boundaries: Vec<f64>) -> Histogram<f64> {
        let histogram = self.meter.f64_histogram(name).with_unit("s").with_description(description);
        histogram.with_boundaries(boundaries).build()
    }

    /// Creates a counter.
    pub fn counter(&self, name: &'static str, unit: &'static str, description: &'static str) -> Counter<u64> {
        self.meter.u64_counter(name).with_unit(unit).with_description(description).build()
    }

    /// Creates a counter of things that exist or wait at present.
    pub fn up_down_counter(
        &self,
        name: &'static str,
        unit: &'static str,
        description: &'static str,
    ) -> UpDownCounter<i64> {
        self.meter.i64_up_down_counter(name).with_unit(unit).with_description(description).build()
    }

    /// Returns the instruments `I`. Creates them at the first call.
    pub(crate) fn instruments<I: Instruments>(&self) -> Arc<I> {
        let registered = self.registered.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(found) = find(&registered) {
            return found;
        }
        drop(registered);
        let mut registered = self.registered.write().unwrap_or_else(PoisonError::into_inner);
        // Another thread may have created them meanwhile.
        find(&registered).unwrap_or_else(|| {
            let created = Arc::new(I::register(self));
            registered.push((TypeId::of::<I>(), created.clone()));
            created
        })
    }
}

fn find<I: Instruments>(registered: &Registered) -> Option<Arc<I>> {
    let (_, found) = registered.iter().find(|(id, _)| *id == TypeId::of::<I>())?;
    found.clone().downcast().ok()
}

impl fmt::Debug for ComponentMeter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ComponentMeter").field("component", &self.component.value).finish_non_exhaustive()
    }
}

/// Holds a counter one higher until it is dropped.
#[derive(Debug, Default)]
pub struct GaugeGuard {
    gauge: Option<BoundUpDownCounter<i64>>,
}

impl GaugeGuard {
    /// Adds one to `gauge`, if metrics are enabled.
    pub fn new(gauge: Option<&BoundUpDownCounter<i64>>) -> Self {
        if let Some(gauge) = gauge {
            gauge.add(1);
        }
        Self { gauge: gauge.cloned() }
    }
}

impl Drop for GaugeGuard {
    fn drop(&mut self) {
        if let Some(gauge) = &self.gauge {
            gauge.add(-1);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use opentelemetry::metrics::MeterProvider as _;
    use opentelemetry::metrics::noop::NoopMeterProvider;

    use super::*;

    static CREATED: AtomicUsize = AtomicUsize::new(0);

    struct Own(Counter<u64>);
    struct Other;

    impl Instruments for Own {
        fn register(meter: &ComponentMeter) -> Self {
            CREATED.fetch_add(1, Ordering::Relaxed);
            Self(meter.counter("own", "{thing}", "Things"))
        }
    }

    impl Instruments for Other {
        fn register(_: &ComponentMeter) -> Self {
            Self
        }
    }

    #[test]
    fn each_type_of_instruments_is_created_once() {
        let meter = ComponentMeter::new(NoopMeterProvider::new().meter("tempo"), "app");
        std::thread::scope(|scope| {
            (0..8).for_each(|_| drop(scope.spawn(|| meter.instruments::<Own>().0.add(1, meter.component()))));
        });
        let _: Arc<Other> = meter.instruments();
        assert!(Arc::ptr_eq(&meter.instruments::<Own>(), &meter.instruments::<Own>()));
        assert_eq!(CREATED.load(Ordering::Relaxed), 1);
    }
}
