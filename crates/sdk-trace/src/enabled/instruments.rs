//! Instruments that record their use, so that a call without measurements exports nothing and makes no host call.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use opentelemetry::metrics::{
    AsyncInstrumentBuilder, Counter, Gauge, Histogram, HistogramBuilder, InstrumentBuilder, InstrumentProvider, Meter,
    MeterProvider, ObservableCounter, ObservableGauge, ObservableUpDownCounter, SyncInstrument, UpDownCounter,
};
use opentelemetry::{InstrumentationScope, KeyValue};

use super::metrics::{OBSERVED, RECORDED};

/// A meter provider, a meter or an instrument that sets [`RECORDED`] or [`OBSERVED`] when it is used.
pub(super) struct UseRecorded<T>(pub(super) T);

impl<P: MeterProvider> MeterProvider for UseRecorded<P> {
    fn meter_with_scope(&self, scope: InstrumentationScope) -> Meter {
        Meter::new(Arc::new(UseRecorded(self.0.meter_with_scope(scope))))
    }
}

macro_rules! record_by {
    ($($instrument:ident by $method:ident),*) => {$(
        impl<T> SyncInstrument<T> for UseRecorded<$instrument<T>> {
            fn measure(&self, value: T, attributes: &[KeyValue]) {
                RECORDED.store(true, Ordering::Relaxed);
                self.0.$method(value, attributes);
            }
        }
    )*};
}

record_by!(Counter by add, UpDownCounter by add, Gauge by record, Histogram by record);

macro_rules! sync_instruments {
    ($($name:ident: $instrument:ident<$number:ty>),*) => {$(
        fn $name(&self, builder_args: InstrumentBuilder<'_, $instrument<$number>>) -> $instrument<$number> {
            let mut builder = self.0.$name(builder_args.name);
            builder.description = builder_args.description;
            builder.unit = builder_args.unit;
            $instrument::new(Arc::new(UseRecorded(builder.build())))
        }
    )*};
}

macro_rules! histogram_instruments {
    ($($name:ident: $number:ty),*) => {$(
        fn $name(&self, builder_args: HistogramBuilder<'_, Histogram<$number>>) -> Histogram<$number> {
            let mut builder = self.0.$name(builder_args.name);
            builder.description = builder_args.description;
            builder.unit = builder_args.unit;
            builder.boundaries = builder_args.boundaries;
            Histogram::new(Arc::new(UseRecorded(builder.build())))
        }
    )*};
}

macro_rules! observable_instruments {
    ($($name:ident: $instrument:ident<$number:ty>),*) => {$(
        fn $name(
            &self,
            builder_args: AsyncInstrumentBuilder<'_, $instrument<$number>, $number>,
        ) -> $instrument<$number> {
            OBSERVED.store(true, Ordering::Relaxed);
            let mut builder = self.0.$name(builder_args.name);
            builder.description = builder_args.description;
            builder.unit = builder_args.unit;
            builder.callbacks = builder_args.callbacks;
            builder.build()
        }
    )*};
}

impl InstrumentProvider for UseRecorded<Meter> {
    sync_instruments! {
        u64_counter: Counter<u64>, f64_counter: Counter<f64>,
        i64_up_down_counter: UpDownCounter<i64>, f64_up_down_counter: UpDownCounter<f64>,
        u64_gauge: Gauge<u64>, f64_gauge: Gauge<f64>, i64_gauge: Gauge<i64>
    }
    histogram_instruments! { u64_histogram: u64, f64_histogram: f64 }
    observable_instruments! {
        u64_observable_counter: ObservableCounter<u64>, f64_observable_counter: ObservableCounter<f64>,
        i64_observable_up_down_counter: ObservableUpDownCounter<i64>,
        f64_observable_up_down_counter: ObservableUpDownCounter<f64>,
        u64_observable_gauge: ObservableGauge<u64>, i64_observable_gauge: ObservableGauge<i64>,
        f64_observable_gauge: ObservableGauge<f64>
    }
}
