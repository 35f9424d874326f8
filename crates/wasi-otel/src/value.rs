//! Values of attributes and bodies: converts a guest's JSON text into OTLP's `AnyValue`.
//!
//! The conversion is lenient: text that is not JSON, or is nested too deeply, is a string.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, ArrayValue, KeyValue, KeyValueList};
use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

/// Maximum nesting of arrays and objects.
const MAX_DEPTH: usize = 8;
/// Prefix of a string that encodes bytes.
const BYTES: &str = "data:application/octet-stream;base64,";

/// Converts `text`. A string is truncated to `max` bytes; any other larger value is dropped.
pub(crate) fn any_value(text: String, max: usize) -> Option<AnyValue> {
    let json = match text.trim_start().bytes().next() {
        Some(b'{' | b'[') if text.len() > max => return None,
        // Also excludes numbers of that length.
        Some(first) if text.len() > max && first != b'"' => None,
        _ => parse(&text),
    };
    let value = json.unwrap_or_else(|| string(text));
    let value = match value {
        Some(Value::StringValue(text)) => Some(Value::StringValue(clip(text, max))),
        Some(Value::BytesValue(bytes)) if bytes.len() > max => return None,
        other => other,
    };
    Some(AnyValue { value })
}

/// Returns the longest prefix of `text` of at most `max` bytes, at a character boundary.
pub(crate) fn clip(mut text: String, max: usize) -> String {
    if text.len() > max {
        text.truncate(text.floor_char_boundary(max));
        // Frees the rest, which may be megabytes.
        text.shrink_to_fit();
    }
    text
}

/// `null` is an empty value.
fn parse(text: &str) -> Option<Option<Value>> {
    let mut json = serde_json::Deserializer::from_str(text);
    let value = Nested(MAX_DEPTH).deserialize(&mut json).ok()?;
    json.end().ok()?;
    Some(value)
}

fn string(text: String) -> Option<Value> {
    let bytes = text.strip_prefix(BYTES).and_then(|base64| STANDARD.decode(base64).ok());
    Some(bytes.map_or(Value::StringValue(text), Value::BytesValue))
}

/// Deserializes a value with the remaining nesting depth.
#[derive(Clone, Copy)]
struct Nested(usize);

impl Nested {
    fn inner<E: Error>(self) -> Result<Self, E> {
        self.0.checked_sub(1).map(Self).ok_or_else(|| E::custom("nested too deep"))
    }
}

impl<'de> DeserializeSeed<'de> for Nested {
    type Value = Option<Value>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Option<Value>, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Nested {
    type Value = Option<Value>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Option<Value>, E> {
        Ok(None)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Option<Value>, E> {
        Ok(Some(Value::BoolValue(value)))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Option<Value>, E> {
        Ok(Some(Value::IntValue(value)))
    }

    /// An integer beyond signed 64 bits is its digits, as OpenTelemetry specifies.
    fn visit_u64<E>(self, value: u64) -> Result<Option<Value>, E> {
        Ok(Some(i64::try_from(value).map_or_else(|_| Value::StringValue(value.to_string()), Value::IntValue)))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Option<Value>, E> {
        Ok(Some(Value::DoubleValue(value)))
    }

    fn visit_str<E>(self, value: &str) -> Result<Option<Value>, E> {
        Ok(string(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Option<Value>, A::Error> {
        let inner = self.inner()?;
        let mut values = Vec::new();
        while let Some(value) = items.next_element_seed(inner)? {
            values.push(AnyValue { value });
        }
        Ok(Some(Value::ArrayValue(ArrayValue { values })))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Option<Value>, A::Error> {
        let inner = self.inner()?;
        let mut values = Vec::new();
        while let Some(key) = members.next_key::<String>()? {
            let value = Some(AnyValue { value: members.next_value_seed(inner)? });
            values.push(KeyValue { key, value, key_strindex: 0 });
        }
        Ok(Some(Value::KvlistValue(KeyValueList { values: unique(values) })))
    }
}

/// Keys must be unique; the last value of a duplicate wins. Sorts only if there may be duplicates.
fn unique(mut values: Vec<KeyValue>) -> Vec<KeyValue> {
    let mut keys: Vec<&str> = values.iter().map(|value| value.key.as_str()).collect();
    keys.sort_unstable();
    if keys.windows(2).any(|pair| matches!(pair, [one, other] if one == other)) {
        values.reverse();
        // Stable sort: the last of each key is now the first.
        values.sort_by(|one, other| one.key.cmp(&other.key));
        values.dedup_by(|one, other| one.key == other.key);
    }
    values
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(text: &str) -> Value {
        any_value(text.to_owned(), 1000).unwrap().value.unwrap()
    }

    fn text(text: &str) -> Value {
        Value::StringValue(text.to_owned())
    }

    #[test]
    fn simple_values() {
        assert_eq!(value("true"), Value::BoolValue(true));
        assert_eq!(value("-9223372036854775808"), Value::IntValue(i64::MIN));
        assert_eq!(value("9223372036854775807"), Value::IntValue(i64::MAX));
        assert_eq!(value("9223372036854775808"), text("9223372036854775808"));
        assert_eq!(value("1.0"), Value::DoubleValue(1.0));
        assert_eq!(value("0.30000000000000004"), Value::DoubleValue(0.1 + 0.2));
        assert_eq!(value(r#""a\n\ud83e\udd80""#), text("a\n🦀"));
        assert_eq!(any_value("null".to_owned(), 9).unwrap().value, None);
    }

    #[test]
    fn nested_values() {
        let int = |int| AnyValue { value: Some(Value::IntValue(int)) };
        let array = Value::ArrayValue(ArrayValue {
            values: vec![int(1), AnyValue { value: Some(text("b")) }, AnyValue::default()],
        });
        assert_eq!(value(r#"[1,"b",null]"#), array);
        let member = |key: &str, value| KeyValue { key: key.to_owned(), value: Some(value), key_strindex: 0 };
        let list = |values| Value::KvlistValue(KeyValueList { values });
        let object = list(vec![member("z", int(1)), member("a", AnyValue { value: Some(array) })]);
        assert_eq!(value(r#" {"z":1,"a":[1,"b",null]}"#), object);
        assert_eq!(value(r#"{"b":1,"a":2,"b":3}"#), list(vec![member("a", int(2)), member("b", int(3))]));
    }

    #[test]
    fn bytes() {
        let hello = Value::BytesValue(b"Hello".to_vec());
        assert_eq!(value(r#""data:application/octet-stream;base64,SGVsbG8=""#), hello);
        assert_eq!(value("data:application/octet-stream;base64,SGVsbG8="), hello);
        let nested = value(r#"["data:application/octet-stream;base64,SGVsbG8="]"#);
        assert_eq!(nested, Value::ArrayValue(ArrayValue { values: vec![AnyValue { value: Some(hello) }] }));
        let no_base64 = "data:application/octet-stream;base64,?";
        assert_eq!(value(no_base64), text(no_base64));
        assert_eq!(value(r#""data:text/plain;base64,SGVsbG8=""#), text("data:text/plain;base64,SGVsbG8="));
    }

    #[test]
    fn what_is_no_json_is_a_string() {
        for plain in ["", "hello", "1 2", "{", "\"", "NaN", "tru", "[1,]", "0x1", "01", "\u{0}"] {
            assert_eq!(value(plain), text(plain));
        }
    }

    #[test]
    fn depths_at_the_edge() {
        let nested = |depth: usize| format!("{}1{}", "[".repeat(depth), "]".repeat(depth));
        let objects = |depth: usize| format!("{}1{}", r#"{"k":"#.repeat(depth), "}".repeat(depth));
        for deep in [nested(MAX_DEPTH - 1), nested(MAX_DEPTH), objects(MAX_DEPTH)] {
            assert!(!matches!(value(&deep), Value::StringValue(_)), "{deep}");
        }
        for too_deep in [nested(MAX_DEPTH + 1), objects(MAX_DEPTH + 1), nested(499)] {
            assert_eq!(value(&too_deep), text(&too_deep));
        }
        assert!(any_value("[".repeat(1 << 20), 1 << 21).is_some());
    }

    #[test]
    fn sizes_at_the_edge() {
        let at = |text: &str| any_value(text.to_owned(), 4).map(|value| value.value.unwrap());
        for (given, expected) in [("abc", "abc"), ("abcd", "abcd"), ("abcde", "abcd"), ("abcé", "abc")] {
            assert_eq!(at(given), Some(text(expected)));
            assert_eq!(at(&format!("\"{given}\"")), Some(text(expected)));
        }
        assert!(at("[12]").is_some() && at("[123]").is_none() && at(" [12]").is_none() && at(r#"{"":1}"#).is_none());
        let bytes = |length: usize| at(&format!("\"{BYTES}{}\"", STANDARD.encode(vec![7; length])));
        assert_eq!(bytes(4), Some(Value::BytesValue(vec![7; 4])));
        assert_eq!(bytes(5), None);
        assert_eq!((at("12.5"), at("12.50")), (Some(Value::DoubleValue(12.5)), Some(text("12.5"))));
    }
}
