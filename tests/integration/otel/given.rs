//! Random values, attributes and scopes: in the types of the guest and of OTLP.

use std::collections::HashSet;

use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::common::v1::{AnyValue, ArrayValue, InstrumentationScope, KeyValueList, any_value};
use proptest::collection::vec;
use proptest::prelude::*;

use super::guest::{logs, types};

/// An attribute value.
#[derive(Clone, Debug)]
pub(super) enum Value {
    Null,
    Bool(bool),
    Int(i64),
    Double(f64),
    Text(String),
    Bytes(Vec<u8>),
    Array(Vec<Value>),
    Object(Vec<(String, Value)>),
}

/// Nested up to 8 levels, the limit; the JSON stays far below 4 KiB, another limit.
pub(super) fn values() -> impl Strategy<Value = Value> {
    use proptest::num::f64::{NEGATIVE, NORMAL, POSITIVE, SUBNORMAL, ZERO};
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        any::<i64>().prop_map(Value::Int),
        (NORMAL | SUBNORMAL | ZERO | POSITIVE | NEGATIVE).prop_map(Value::Double),
        texts(0..12).prop_map(Value::Text),
        vec(any::<u8>(), 0..12).prop_map(Value::Bytes),
    ];
    leaf.prop_recursive(8, 24, 4, |inner| {
        prop_oneof![vec(inner.clone(), 0..4).prop_map(Value::Array), members(inner, 0..4).prop_map(Value::Object),]
    })
}

/// Any text except the prefix of encoded bytes.
pub(super) fn texts(length: std::ops::Range<usize>) -> impl Strategy<Value = String> {
    vec(any::<char>(), length).prop_map(|characters| characters.into_iter().collect())
}

/// Each key once, in any order.
fn members(
    value: impl Strategy<Value = Value>,
    length: std::ops::Range<usize>,
) -> impl Strategy<Value = Vec<(String, Value)>> {
    vec((texts(1..6), value), length).prop_map(|members| {
        let mut seen = HashSet::new();
        members.into_iter().filter(|(key, _)| seen.insert(key.clone())).collect()
    })
}

impl Value {
    fn json(&self) -> serde_json::Value {
        match self {
            Self::Null => serde_json::Value::Null,
            Self::Bool(value) => (*value).into(),
            Self::Int(value) => (*value).into(),
            Self::Double(value) => (*value).into(),
            Self::Text(value) => value.as_str().into(),
            Self::Bytes(value) => format!("data:application/octet-stream;base64,{}", base64(value)).into(),
            Self::Array(values) => values.iter().map(Self::json).collect(),
            Self::Object(members) => members.iter().map(|(key, value)| (key.clone(), value.json())).collect(),
        }
    }

    /// Converts to OTLP. The order of an object's members is that of the JSON text.
    pub(super) fn any(&self) -> AnyValue {
        use any_value::Value as Any;
        let value = match self {
            Self::Null => None,
            Self::Bool(value) => Some(Any::BoolValue(*value)),
            Self::Int(value) => Some(Any::IntValue(*value)),
            Self::Double(value) => Some(Any::DoubleValue(*value)),
            Self::Text(value) => Some(Any::StringValue(value.clone())),
            Self::Bytes(value) => Some(Any::BytesValue(value.clone())),
            Self::Array(values) => Some(Any::ArrayValue(ArrayValue { values: values.iter().map(Self::any).collect() })),
            Self::Object(members) => {
                let serde_json::Value::Object(json) = self.json() else { unreachable!("it is an object") };
                let value = |key: &String| members.iter().find(|member| member.0 == *key).unwrap().1.any();
                let values = json.keys().map(|key| pair(key, value(key))).collect();
                Some(Any::KvlistValue(KeyValueList { values }))
            }
        };
        AnyValue { value }
    }

    /// Creates a log record with this body.
    pub(super) fn log(&self) -> logs::LogRecord {
        logs::LogRecord {
            timestamp: None,
            observed_timestamp: None,
            severity_text: None,
            severity_number: None,
            body: Some(self.json().to_string()),
            attributes: None,
            event_name: None,
            resource: None,
            instrumentation_scope: None,
            trace_id: None,
            span_id: None,
            trace_flags: None,
        }
    }
}

fn pair(key: &str, value: AnyValue) -> KeyValue {
    KeyValue { key: key.to_owned(), value: Some(value), key_strindex: 0 }
}

/// Written by hand, so that it is independent of the tested decoder.
fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let number = (0..3).fold(0, |number, at| number << 8 | usize::from(*chunk.get(at).unwrap_or(&0)));
        for at in 0..4 {
            let digit = DIGITS[number >> (18 - 6 * at) & 63];
            text.push(if at > chunk.len() { '=' } else { char::from(digit) });
        }
    }
    text
}

/// Attributes, each key once.
#[derive(Clone, Debug)]
pub(super) struct Attributes(Vec<(String, Value)>);

pub(super) fn attributes() -> impl Strategy<Value = Attributes> {
    members(values(), 0..4).prop_map(Attributes)
}

impl Attributes {
    pub(super) fn given(&self) -> Vec<types::KeyValue> {
        let given =
            |(key, value): &(String, Value)| types::KeyValue { key: key.clone(), value: value.json().to_string() };
        self.0.iter().map(given).collect()
    }

    pub(super) fn expected(&self) -> Vec<KeyValue> {
        self.0.iter().map(|(key, value)| pair(key, value.any())).collect()
    }
}

/// An instrumentation scope.
#[derive(Clone, Debug)]
pub(super) struct Scope {
    name: String,
    version: Option<String>,
    schema_url: Option<String>,
    attributes: Attributes,
}

pub(super) fn scopes() -> impl Strategy<Value = Scope> {
    let parts = (texts(0..6), prop::option::of(texts(0..6)), prop::option::of(texts(0..6)), attributes());
    parts.prop_map(|(name, version, schema_url, attributes)| Scope { name, version, schema_url, attributes })
}

impl Scope {
    pub(super) fn given(&self) -> types::InstrumentationScope {
        types::InstrumentationScope {
            name: self.name.clone(),
            version: self.version.clone(),
            schema_url: self.schema_url.clone(),
            attributes: self.attributes.given(),
        }
    }

    /// Returns the scope and its schema URL.
    pub(super) fn expected(&self) -> (InstrumentationScope, String) {
        let scope = InstrumentationScope {
            name: self.name.clone(),
            version: self.version.clone().unwrap_or_default(),
            attributes: self.attributes.expected(),
            dropped_attributes_count: 0,
        };
        (scope, self.schema_url.clone().unwrap_or_default())
    }
}
