//! Identity of metrics and series.

use std::borrow::Cow;

use opentelemetry_proto::tonic::common::v1::{InstrumentationScope, KeyValue, KeyValueList};
use opentelemetry_proto::tonic::resource::v1::Resource;
use prost::Message;

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
    /// As in `Record`, in [canonical order](resource).
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

/// Returns an encoded `Resource` with sorted attributes: SDKs keep them in hash maps.
pub(crate) fn resource(encoded: &[u8]) -> Cow<'_, [u8]> {
    in_order(encoded, |resource: &mut Resource| &mut resource.attributes)
}

/// Returns an encoded `InstrumentationScope` with sorted attributes.
pub(crate) fn scope(encoded: &[u8]) -> Cow<'_, [u8]> {
    in_order(encoded, |scope: &mut InstrumentationScope| &mut scope.attributes)
}

fn in_order<M: Message + Default>(encoded: &[u8], attributes: impl Fn(&mut M) -> &mut Vec<KeyValue>) -> Cow<'_, [u8]> {
    // An undecodable message is kept unchanged.
    let Ok(mut message) = M::decode(encoded) else { return Cow::Borrowed(encoded) };
    let attributes = attributes(&mut message);
    if attributes.is_sorted_by(|one, next| one.key <= next.key) {
        return Cow::Borrowed(encoded);
    }
    attributes.sort_by(|one, other| one.key.cmp(&other.key));
    Cow::Owned(message.encode_to_vec())
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
