//! Identity of metrics and series.

use std::borrow::Cow;

use opentelemetry_proto::tonic::common::v1::{InstrumentationScope, KeyValue, KeyValueList};
use opentelemetry_proto::tonic::resource::v1::Resource;
use prost::Message as _;

use crate::otlp::wire;

/// The kind of a metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Kind {
    /// The last value.
    Gauge,
    /// A monotonic sum.
    Counter,
    /// A non-monotonic sum.
    UpDown,
    /// With explicit bounds.
    Histogram,
}

/// The identity of a metric. Metrics that differ in any field are distinct; integers and floats are not distinguished,
/// as in the data model.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Identity<'a> {
    /// The encoded `Resource`, in [canonical order](resource).
    pub(crate) resource: Cow<'a, [u8]>,
    /// The scope, likewise.
    pub(crate) scope: Cow<'a, [u8]>,
    pub(crate) schema_url: Cow<'a, str>,
    pub(crate) name: Cow<'a, str>,
    pub(crate) unit: Cow<'a, str>,
    pub(crate) kind: Kind,
    /// The bits of a histogram's bounds.
    pub(crate) bounds: Cow<'a, [u64]>,
}

impl Identity<'_> {
    pub(crate) fn to_static(&self) -> Identity<'static> {
        Identity {
            resource: Cow::Owned(self.resource.to_vec()),
            scope: Cow::Owned(self.scope.to_vec()),
            schema_url: Cow::Owned(self.schema_url.to_string()),
            name: Cow::Owned(self.name.to_string()),
            unit: Cow::Owned(self.unit.to_string()),
            kind: self.kind,
            bounds: Cow::Owned(self.bounds.to_vec()),
        }
    }

    /// Returns the size in bytes.
    pub(crate) fn len(&self) -> usize {
        let texts = [self.resource.len(), self.scope.len(), self.schema_url.len(), self.name.len(), self.unit.len()];
        texts.into_iter().fold(self.bounds.len().saturating_mul(8), usize::saturating_add)
    }

    pub(crate) fn bounds(&self) -> impl Iterator<Item = f64> + '_ {
        self.bounds.iter().map(|bits| f64::from_bits(*bits))
    }
}

/// Encodes `resource` with sorted attributes: SDKs keep them in hash maps.
pub(crate) fn resource(resource: &Resource) -> Vec<u8> {
    if is_sorted(&resource.attributes) {
        return resource.encode_to_vec();
    }
    Resource { attributes: sorted(&resource.attributes), ..resource.clone() }.encode_to_vec()
}

/// Encodes `scope` with sorted attributes.
pub(crate) fn scope(scope: &InstrumentationScope) -> Vec<u8> {
    if is_sorted(&scope.attributes) {
        return scope.encode_to_vec();
    }
    InstrumentationScope { attributes: sorted(&scope.attributes), ..scope.clone() }.encode_to_vec()
}

fn is_sorted(attributes: &[KeyValue]) -> bool {
    attributes.is_sorted_by(|one, next| one.key <= next.key)
}

fn sorted(attributes: &[KeyValue]) -> Vec<KeyValue> {
    let mut sorted = attributes.to_vec();
    sorted.sort_by(|one, other| one.key.cmp(&other.key));
    sorted
}

/// Returns the key of a series: its attributes, sorted. The first of two with one name counts.
pub(crate) fn key(attributes: &[KeyValue]) -> Vec<u8> {
    let mut values: Vec<_> = attributes.iter().collect();
    values.sort_by_key(|value| &value.key);
    values.dedup_by_key(|value| &value.key);
    // Encodes a `KeyValueList` without copying its contents.
    let mut key = Vec::new();
    for value in values {
        wire::bytes(&mut key, 1, &value.encode_to_vec());
    }
    key
}

/// Decodes the attributes of `key`.
pub(crate) fn attributes(key: &[u8]) -> Vec<KeyValue> {
    KeyValueList::decode(key).map(|list| list.values).unwrap_or_default()
}
