//! `value_text`: attribute values as text.

use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};

/// Maximum nesting of attribute values shown.
const MAX_DEPTH: usize = 8;

/// Formats an attribute value for display, and for Prometheus labels: strings as they are, nested values similar to JSON, and
/// at most eight levels of them.
pub fn value_text(value: &AnyValue) -> String {
    text(value, MAX_DEPTH)
}

fn text(value: &AnyValue, depth: usize) -> String {
    let Some(deeper) = depth.checked_sub(1) else { return "…".to_owned() };
    match &value.value {
        None => String::new(),
        Some(Value::StringValue(text)) => text.clone(),
        Some(Value::BoolValue(value)) => value.to_string(),
        Some(Value::IntValue(value)) => value.to_string(),
        Some(Value::DoubleValue(value)) => value.to_string(),
        Some(Value::ArrayValue(array)) => {
            let items: Vec<_> = array.values.iter().map(|item| text(item, deeper)).collect();
            format!("[{}]", items.join(", "))
        }
        Some(Value::KvlistValue(list)) => {
            let member = |member: &KeyValue| {
                let value = member.value.as_ref().map(|value| text(value, deeper)).unwrap_or_default();
                format!("{}: {value}", member.key)
            };
            format!("{{{}}}", list.values.iter().map(member).collect::<Vec<_>>().join(", "))
        }
        Some(Value::BytesValue(bytes)) => format!("{} bytes", bytes.len()),
        // An index into a table that guests cannot send.
        Some(Value::StringValueStrindex(_)) => String::new(),
    }
}
