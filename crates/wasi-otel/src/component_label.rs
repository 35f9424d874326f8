//! `ComponentLabel`: names the component of an app in the items of its guest, as in the host's spans and metrics.

use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value::Value};
use opentelemetry_proto::tonic::logs::v1::LogRecord;
use opentelemetry_proto::tonic::metrics::v1::Metric;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::trace::v1::Span;
use tempo_telemetry::COMPONENT_KEY;

/// The attribute of a component's items. A guest's own attribute of that key is replaced.
pub(crate) struct ComponentLabel(KeyValue);

impl ComponentLabel {
    /// Creates the attribute of the component `name`.
    pub(crate) fn new(name: &str) -> Self {
        let value = Some(AnyValue { value: Some(Value::StringValue(name.to_owned())) });
        Self(KeyValue { key: COMPONENT_KEY.to_owned(), value, key_strindex: 0 })
    }

    pub(crate) fn add_to_span(&self, span: &mut Span) {
        self.add(&mut span.attributes);
    }

    pub(crate) fn add_to_log(&self, record: &mut LogRecord) {
        self.add(&mut record.attributes);
    }

    pub(crate) fn add_to_metric(&self, metric: &mut Metric) {
        match &mut metric.data {
            None => {}
            Some(Data::Gauge(gauge)) => gauge.data_points.iter_mut().for_each(|point| self.add(&mut point.attributes)),
            Some(Data::Sum(sum)) => sum.data_points.iter_mut().for_each(|point| self.add(&mut point.attributes)),
            Some(Data::Histogram(histogram)) => {
                histogram.data_points.iter_mut().for_each(|point| self.add(&mut point.attributes));
            }
            Some(Data::ExponentialHistogram(histogram)) => {
                histogram.data_points.iter_mut().for_each(|point| self.add(&mut point.attributes));
            }
            Some(Data::Summary(summary)) => {
                summary.data_points.iter_mut().for_each(|point| self.add(&mut point.attributes));
            }
        }
    }

    fn add(&self, attributes: &mut Vec<KeyValue>) {
        attributes.retain(|attribute| attribute.key != COMPONENT_KEY);
        attributes.push(self.0.clone());
    }
}

#[cfg(test)]
mod tests {
    use opentelemetry_proto::tonic::metrics::v1::{Histogram, HistogramDataPoint};

    use super::*;

    #[test]
    fn every_item_names_its_component_once() {
        let (label, forged) = (ComponentLabel::new("api"), ComponentLabel::new("other").0);
        let mut span = Span { attributes: vec![forged.clone()], ..Span::default() };
        label.add_to_span(&mut span);
        let mut record = LogRecord::default();
        label.add_to_log(&mut record);
        let point = HistogramDataPoint { attributes: vec![forged], ..HistogramDataPoint::default() };
        let histogram = Histogram { data_points: vec![point.clone(), point], ..Histogram::default() };
        let mut metric = Metric { data: Some(Data::Histogram(histogram)), ..Metric::default() };
        label.add_to_metric(&mut metric);
        let Some(Data::Histogram(histogram)) = metric.data else { panic!("still a histogram") };
        let of_points = histogram.data_points.into_iter().map(|point| point.attributes);
        for attributes in [span.attributes, record.attributes].into_iter().chain(of_points) {
            assert_eq!(attributes, std::slice::from_ref(&label.0));
        }
    }
}
