//! Values and IDs of `wasi:otel`: a guest's JSON text as a value of OTLP.

use opentelemetry_proto::tonic::common::v1::AnyValue;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use tempo_wasi_otel::fuzzing::{any_value, span_id, trace_id};

use crate::input::texts;
use crate::{Outcome, Target};

/// The target.
pub const TARGET: Target = Target {
    name: "otel_values",
    run,
    seeds,
    tokens: &[
        "[",
        "]",
        "{",
        "}",
        "\"",
        ":",
        ",",
        "null",
        "true",
        "-1",
        "1.5",
        "1e400",
        "18446744073709551615",
        "\\ud83e",
        "\\u0000",
        "\"k\":",
        "[[[[[[[[",
        "]]]]]]]]",
        "data:application/octet-stream;base64,",
        "SGVsbG8=",
        "é",
        "🦀",
        "0af7",
        " ",
    ],
};

/// Limits of a value, below and above the length of most inputs.
const MAX_BYTES: [usize; 2] = [16, 1 << 16];
/// The nesting that the host accepts.
const MAX_DEPTH: usize = 8;

/// Converts a text, and parses it as an ID.
pub fn run(data: &[u8]) -> Outcome {
    let [text, id] = texts::<2>(data);
    for max in MAX_BYTES {
        let value = any_value(text.clone().into_owned(), max);
        if let Some(value) = &value {
            check_value(value, max);
            assert!(depth(value) <= MAX_DEPTH, "{text:?}");
        }
        if text.len() <= max {
            assert!(value.is_some(), "{text:?} is not too large");
        }
        check_string(&text, max);
    }
    check_ids(&id);
    Outcome::of(serde_json::from_str::<serde_json::Value>(&text).is_ok())
}

fn check_value(value: &AnyValue, max: usize) {
    match &value.value {
        Some(Value::StringValue(text)) => assert!(text.len() <= max, "{text:?}"),
        Some(Value::BytesValue(bytes)) => assert!(bytes.len() <= max),
        Some(Value::ArrayValue(array)) => array.values.iter().for_each(|value| check_value(value, max)),
        Some(Value::KvlistValue(list)) => {
            let mut keys: Vec<&str> = list.values.iter().map(|member| member.key.as_str()).collect();
            keys.sort_unstable();
            assert!(keys.is_sorted_by(|one, other| one < other), "a key is not unique: {keys:?}");
            list.values.iter().filter_map(|member| member.value.as_ref()).for_each(|value| check_value(value, max));
        }
        _ => {}
    }
}

fn depth(value: &AnyValue) -> usize {
    let inner = match &value.value {
        Some(Value::ArrayValue(array)) => array.values.iter().map(depth).max(),
        Some(Value::KvlistValue(list)) => {
            list.values.iter().filter_map(|member| member.value.as_ref()).map(depth).max()
        }
        _ => return 0,
    };
    inner.unwrap_or(0) + 1
}

/// The JSON of a string is the string, truncated.
fn check_string(text: &str, max: usize) {
    if text.starts_with("data:") {
        return;
    }
    let json = serde_json::to_string(text).expect("JSON");
    match any_value(json, max).and_then(|value| value.value) {
        Some(Value::StringValue(value)) => {
            assert!(text.starts_with(&value) && value.len() == text.floor_char_boundary(max.min(text.len())));
        }
        other => panic!("{text:?} became {other:?}"),
    }
}

/// An ID survives being displayed.
fn check_ids(text: &str) {
    if let Some(id) = trace_id(text) {
        assert!(text.len() <= 32 && trace_id(&id.to_string()) == Some(id));
    }
    if let Some(id) = span_id(text) {
        assert!(text.len() <= 16 && span_id(&id.to_string()) == Some(id));
    }
}

fn seeds() -> Vec<Vec<u8>> {
    let trace = "0af7651916cd43dd8448eb211c80319c";
    let seeds = [
        ["null", trace],
        [r#"[1,"b",null,true,-0.5]"#, "b7ad6b7169203331"],
        [r#" {"z":1,"a":[1,"b",{}],"z":"data:application/octet-stream;base64,SGVsbG8="}"#, "1"],
        [r#""a\n\ud83e\udd80""#, "00"],
        ["9223372036854775808", ""],
        ["[[[[[[[[1]]]]]]]]", trace],
    ];
    seeds.iter().map(|seed| crate::input::seed(seed)).collect()
}
