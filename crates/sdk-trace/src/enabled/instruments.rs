//! Instruments that note that they were used, so that a call that records nothing exports nothing and asks nobody.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use opentelemetry::metrics::{
    AsyncInstrumentBuilder, Counter, Gauge, Histogram, HistogramBuilder, InstrumentBuilder, InstrumentProvider, Meter,
    MeterProvider, ObservableCounter, ObservableGauge, ObservableUpDownCounter, SyncInstrument, UpDownCounter,
};
use opentelemetry::{InstrumentationScope, KeyValue};

use super::metrics::{OBSERVED, RECORDED};

/// A meter provider, a meter or an instrument that notes its use.
pub(super) struct Noting<T>(pub(super) T);

impl<P: MeterProvider> MeterProvider for Noting<P> {
    fn meter_with_scope(&self, scope: InstrumentationScope) -> Meter {
        Meter::new(Arc::new(Noting(self.0.meter_with_scope(scope))))
    }
}

macro_rules! record_by {
    ($($instrument:ident by $method:ident),*) => {$(
        impl<T> SyncInstrument<T> for Noting<$instrument<T>> {
            fn measure(&self, value: T, attributes: &[KeyValue]) {
                RECORDED.store(true, Ordering::Relaxed);
                self.0.$method(value, attributes);
            }
        }
    )*};
}

record_by!(Counter by add, UpDownCounter by add, Gauge by record, Histogram by record);

macro_rules! written {
    ($($name:ident: $instrument:ident<$number:ty>),*) => {$(
        fn $name(&self, asked: InstrumentBuilder<'_, $instrument<$number>>) -> $instrument<$number> {
            let mut builder = self.0.$name(asked.name);
            builder.description = asked.description;
            builder.unit = asked.unit;
            $instrument::new(Arc::new(Noting(builder.build())))
        }
    )*};
}

macro_rules! histograms {
    ($($name:ident: $number:ty),*) => {$(
        fn $name(&self, asked: HistogramBuilder<'_, Histogram<$number>>) -> Histogram<$number> {
            let mut builder = self.0.$name(asked.name);
            builder.description = asked.description;
            builder.unit = asked.unit;
            builder.boundaries = asked.boundaries;
            Histogram::new(Arc::new(Noting(builder.build())))
        }
    )*};
}

macro_rules! observed {
    ($($name:ident: $instrument:ident<$number:ty>),*) => {$(
        fn $name(
            &self,
            asked: AsyncInstrumentBuilder<'_, $instrument<$number>, $number>,
        ) -> $instrument<$number> {
            OBSERVED.store(true, Ordering::Relaxed);
            let mut builder = self.0.$name(asked.name);
            builder.description = asked.description;
            builder.unit = asked.unit;
            builder.callbacks = asked.callbacks;
            builder.build()
        }
    )*};
}

impl InstrumentProvider for Noting<Meter> {
    written! {
        u64_counter: Counter<u64>, f64_counter: Counter<f64>,
        i64_up_down_counter: UpDownCounter<i64>, f64_up_down_counter: UpDownCounter<f64>,
        u64_gauge: Gauge<u64>, f64_gauge: Gauge<f64>, i64_gauge: Gauge<i64>
    }
    histograms! { u64_histogram: u64, f64_histogram: f64 }
    observed! {
        u64_observable_counter: ObservableCounter<u64>, f64_observable_counter: ObservableCounter<f64>,
        i64_observable_up_down_counter: ObservableUpDownCounter<i64>,
        f64_observable_up_down_counter: ObservableUpDownCounter<f64>,
        u64_observable_gauge: ObservableGauge<u64>, i64_observable_gauge: ObservableGauge<i64>,
        f64_observable_gauge: ObservableGauge<f64>
    }
}
