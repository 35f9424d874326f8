//! Series of components that a reload has removed. The SDK keeps those of cumulative instruments for ever; no reader exports them.

use std::collections::HashSet;
use std::sync::Arc;

use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::{AggregationTemporality, Metric};
use tempo_telemetry::{COMPONENT_KEY, LiveComponents};

/// The names of components.
pub(crate) type Names = HashSet<Arc<str>>;

/// Decides which series an exporter leaves out.
#[derive(Debug)]
pub(crate) struct EndedSeries {
    live: LiveComponents,
    /// The components that had ended at the previous export.
    exported: Names,
}

impl EndedSeries {
    pub(crate) fn new(live: LiveComponents) -> Self {
        Self { live, exported: Names::new() }
    }

    /// Begins an export, and returns the components without series in it: those whose last values the previous one had.
    pub(crate) fn begin_export(&mut self) -> Names {
        let ended = self.live.ended();
        let previous = std::mem::replace(&mut self.exported, ended.clone());
        previous.intersection(&ended).cloned().collect()
    }
}

/// Removes the series of `ended` components from `metric`. Returns false if none is left. Deltas stay: the SDK forgets them itself.
pub(crate) fn retain_live(metric: &mut Metric, ended: &Names) -> bool {
    const CUMULATIVE: i32 = AggregationTemporality::Cumulative as i32;
    match &mut metric.data {
        Some(Data::Sum(sum)) if sum.aggregation_temporality == CUMULATIVE => {
            sum.data_points.retain(|point| !is_ended(&point.attributes, ended));
            !sum.data_points.is_empty()
        }
        Some(Data::Histogram(histogram)) if histogram.aggregation_temporality == CUMULATIVE => {
            histogram.data_points.retain(|point| !is_ended(&point.attributes, ended));
            !histogram.data_points.is_empty()
        }
        Some(Data::Gauge(gauge)) => {
            gauge.data_points.retain(|point| !is_ended(&point.attributes, ended));
            !gauge.data_points.is_empty()
        }
        _ => true,
    }
}

/// Returns whether `attributes` name one of the `ended` components.
pub(crate) fn is_ended(attributes: &[KeyValue], ended: &Names) -> bool {
    let component = attributes.iter().find(|attribute| attribute.key == COMPONENT_KEY);
    match component.and_then(|component| component.value.as_ref()?.value.as_ref()) {
        Some(Value::StringValue(name)) => ended.contains(name.as_str()),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use opentelemetry::metrics::MeterProvider as _;
    use opentelemetry_sdk::metrics::{SdkMeterProvider, Temporality};
    use prost::Message as _;
    use tempo_telemetry::{ComponentMeter, Signal};

    use super::*;
    use crate::metrics::{Shared, collect};
    use crate::otlp::buffer::Buffer;

    /// Exports the metrics, and returns whether they name the component.
    fn exports(reader: &Shared, series: &mut EndedSeries, name: &str) -> bool {
        let buffer = Buffer::new(Signal::Metrics, 1 << 20, Arc::default());
        collect(reader, &series.begin_export(), &buffer);
        let Some(batch) = buffer.take() else { return false };
        let bytes = crate::otlp::request::assemble(b"", &batch).concat();
        batch.sent(0);
        let attribute = KeyValue {
            key: COMPONENT_KEY.to_owned(),
            value: Some(opentelemetry_proto::tonic::common::v1::AnyValue {
                value: Some(Value::StringValue(name.to_owned())),
            }),
            ..KeyValue::default()
        };
        let attribute = attribute.encode_to_vec();
        bytes.windows(attribute.len()).any(|window| window == attribute)
    }

    #[test]
    fn the_series_of_a_component_end_after_its_last_values() {
        let reader = Shared::new(Temporality::Cumulative);
        let provider = SdkMeterProvider::builder().with_reader(reader.clone()).build();
        let app = ComponentMeter::new(provider.meter("tempo"), "app");
        let mut series = EndedSeries::new(app.live_components().clone());
        let count = |meter: &ComponentMeter| meter.counter("calls", "{call}", "Calls").add(1, meter.component());
        let (a, b) = (app.in_app("a"), app.in_app("b"));
        count(&a);
        count(&b);
        assert!(exports(&reader, &mut series, "a") && exports(&reader, &mut series, "b"));
        count(&b);
        drop(b);
        assert!(exports(&reader, &mut series, "b"), "its last values");
        assert!(!exports(&reader, &mut series, "b"));
        assert!(exports(&reader, &mut series, "a"));
        let _again = app.in_app("b");
        assert!(exports(&reader, &mut series, "b"));
    }
}
