//! Encodes attribute values as JSON, the encoding of `wasi:otel`.
//!
//! All values of one record share one string: an allocation per value would dominate the cost of a span.

use std::fmt::Write as _;

use opentelemetry::logs::AnyValue;
use opentelemetry::{Array, Value};

/// A sequence of JSON texts.
#[derive(Default)]
pub(super) struct JsonTexts {
    text: String,
    ends: Vec<usize>,
}

impl JsonTexts {
    /// Creates a sequence with capacity for `values` of the usual length.
    pub(super) fn with_capacity(values: usize) -> Self {
        Self { text: String::with_capacity(values.saturating_mul(24)), ends: Vec::with_capacity(values) }
    }

    /// Appends the JSON of `value`.
    pub(super) fn push(&mut self, value: &Value) {
        write_value(&mut self.text, value);
        self.ends.push(self.text.len());
    }

    /// Iterates over the texts, in the order of their insertion.
    pub(super) fn iter(&self) -> impl Iterator<Item = &str> {
        let mut start = 0;
        self.ends.iter().map(move |&end| {
            let text = self.text.get(start..end).unwrap_or_default();
            start = end;
            text
        })
    }
}

/// Returns the JSON of one value.
pub(super) fn of_value(value: &Value) -> String {
    let mut text = String::new();
    write_value(&mut text, value);
    text
}

/// Returns the JSON of one value of a log record.
pub(super) fn of_any(value: &AnyValue) -> String {
    let mut text = String::new();
    write_any(&mut text, value);
    text
}

fn write_value(out: &mut String, value: &Value) {
    match value {
        Value::Bool(value) => write_plain(out, value),
        Value::I64(value) => write_plain(out, value),
        Value::F64(value) => write_double(out, *value),
        Value::String(value) => write_string(out, value.as_str()),
        Value::Array(Array::Bool(values)) => write_list(out, values, write_plain),
        Value::Array(Array::I64(values)) => write_list(out, values, write_plain),
        Value::Array(Array::F64(values)) => write_list(out, values, |out, value| write_double(out, *value)),
        Value::Array(Array::String(values)) => write_list(out, values, |out, value| write_string(out, value.as_str())),
        // The enum is non-exhaustive.
        value => write_string(out, &value.as_str()),
    }
}

fn write_any(out: &mut String, value: &AnyValue) {
    match value {
        AnyValue::Boolean(value) => write_plain(out, value),
        AnyValue::Int(value) => write_plain(out, value),
        AnyValue::Double(value) => write_double(out, *value),
        AnyValue::String(value) => write_string(out, value.as_str()),
        AnyValue::Bytes(bytes) => write_bytes(out, bytes),
        AnyValue::ListAny(values) => write_list(out, values, write_any),
        AnyValue::Map(map) => {
            out.push('{');
            for (position, (key, value)) in map.iter().enumerate() {
                if position > 0 {
                    out.push(',');
                }
                write_string(out, key.as_str());
                out.push(':');
                write_any(out, value);
            }
            out.push('}');
        }
        // The enum is non-exhaustive.
        value => write_string(out, &format!("{value:?}")),
    }
}

fn write_list<T>(out: &mut String, values: &[T], write: impl Fn(&mut String, &T)) {
    out.push('[');
    for (position, value) in values.iter().enumerate() {
        if position > 0 {
            out.push(',');
        }
        write(out, value);
    }
    out.push(']');
}

fn write_plain(out: &mut String, value: &impl std::fmt::Display) {
    // Writing to a `String` cannot fail.
    let _ = write!(out, "{value}");
}

/// Writes a double. `Debug` keeps the decimal point of a whole number, which marks it as a double. JSON has no
/// infinities and no NaN.
fn write_double(out: &mut String, value: f64) {
    if value.is_finite() {
        let _ = write!(out, "{value:?}");
    } else {
        write_string(out, &value.to_string());
    }
}

fn write_string(out: &mut String, text: &str) {
    out.push('"');
    let mut rest = text;
    // All escaped characters are single bytes, so the scan is over bytes and copies most texts in one piece.
    while let Some(at) = rest.bytes().position(|byte| byte < b' ' || byte == b'"' || byte == b'\\') {
        let (before, special) = rest.split_at(at);
        out.push_str(before);
        let mut characters = special.chars();
        match characters.next() {
            Some('\n') => out.push_str("\\n"),
            Some(c @ ('"' | '\\')) => out.extend(['\\', c]),
            Some(c) => {
                let _ = write!(out, "\\u{:04x}", u32::from(c));
            }
            None => {}
        }
        rest = characters.as_str();
    }
    out.push_str(rest);
    out.push('"');
}

/// Writes bytes as a data URI, which distinguishes them from a list of numbers in the interface.
fn write_bytes(out: &mut String, bytes: &[u8]) {
    out.push_str("\"data:application/octet-stream;base64,");
    for group in bytes.chunks(3) {
        let byte = |at: usize| u32::from(group.get(at).copied().unwrap_or_default());
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for place in 0..4 {
            let sextet = (bits >> (18 - 6 * place) & 63) as u8;
            out.push(if place <= group.len() { base64_digit(sextet) } else { '=' });
        }
    }
    out.push('"');
}

fn base64_digit(sextet: u8) -> char {
    char::from(match sextet {
        0..26 => b'A' + sextet,
        26..52 => b'a' + (sextet - 26),
        52..62 => b'0' + (sextet - 52),
        62 => b'+',
        _ => b'/',
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use opentelemetry::Key;
    use std::collections::HashMap;

    #[test]
    fn values_are_json() {
        let cases: [(Value, &str); 12] = [
            (true.into(), "true"),
            (i64::MIN.into(), "-9223372036854775808"),
            (1.0.into(), "1.0"),
            (1e300.into(), "1e300"),
            (f64::NAN.into(), "\"NaN\""),
            (f64::NEG_INFINITY.into(), "\"-inf\""),
            ("".into(), "\"\""),
            ("ü \" \\ \n \u{1} /".into(), "\"ü \\\" \\\\ \\n \\u0001 /\""),
            (Value::Array(vec![true, false].into()), "[true,false]"),
            (Value::Array(vec![1_i64, -2].into()), "[1,-2]"),
            (Value::Array(vec![0.5, 2.0].into()), "[0.5,2.0]"),
            (Value::Array(Array::String(vec!["a".into(), "\"".into()])), "[\"a\",\"\\\"\"]"),
        ];
        let mut texts = JsonTexts::default();
        for (value, expected) in &cases {
            assert_eq!(of_value(value), *expected);
            texts.push(value);
        }
        assert!(texts.iter().eq(cases.iter().map(|(_, expected)| *expected)));
    }

    #[test]
    fn values_of_logs_may_be_nested() {
        let bytes = |bytes: &[u8]| of_any(&AnyValue::Bytes(Box::new(bytes.to_vec())));
        assert_eq!(bytes(b""), "\"data:application/octet-stream;base64,\"");
        assert_eq!(bytes(b"f"), "\"data:application/octet-stream;base64,Zg==\"");
        assert_eq!(bytes(b"fo"), "\"data:application/octet-stream;base64,Zm8=\"");
        assert_eq!(bytes(b"foo"), "\"data:application/octet-stream;base64,Zm9v\"");
        assert_eq!(bytes(&[0xfb, 0xff, 0xfe, 0]), "\"data:application/octet-stream;base64,+//+AA==\"");
        let list = AnyValue::ListAny(Box::new(vec![AnyValue::Int(1), "x".into(), AnyValue::Double(2.0)]));
        let map = AnyValue::Map(Box::new(HashMap::from([(Key::new("k\""), list)])));
        assert_eq!(of_any(&map), "{\"k\\\"\":[1,\"x\",2.0]}");
    }
}
