//! `wasi:otel/types`, and conversions shared by the interfaces: IDs, times, scopes, resources.

use opentelemetry::trace::{SpanContext, TraceFlags, TraceState};
use opentelemetry::{SpanId, TraceId};
use opentelemetry_proto::tonic::common::v1::InstrumentationScope;
use opentelemetry_proto::tonic::resource::v1::Resource;
use prost::Message as _;

use crate::OtelView;
use crate::bindings::wasi::clocks::wall_clock::Datetime;
use crate::bindings::wasi::otel::{tracing, types};
use crate::limits::{MAX_NAME, MAX_ORIGIN, MAX_ORIGIN_ATTRIBUTES, MAX_STATE};
use crate::message_budget::MessageBudget;

/// The maximum of a signed 64-bit timestamp, which receivers use, in nanoseconds.
const LAST: u64 = i64::MAX as u64;

impl types::Host for OtelView<'_> {}

/// Parses `text` of at most `digits` hexadecimal digits. Some guests and hosts omit leading zeros.
fn hex(text: &str, digits: usize) -> Option<u128> {
    let valid = (1..=digits).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    if valid { u128::from_str_radix(text, 16).ok() } else { None }
}

/// Parses a valid trace ID.
pub(crate) fn trace_id(text: &str) -> Option<TraceId> {
    hex(text, 32).filter(|id| *id != 0).map(TraceId::from)
}

/// Parses a valid span ID.
pub(crate) fn span_id(text: &str) -> Option<SpanId> {
    parent_id(text).filter(|id| *id != SpanId::INVALID)
}

/// Parses a span ID; empty or zero means none, which is valid for a parent.
pub(crate) fn parent_id(text: &str) -> Option<SpanId> {
    if text.is_empty() {
        return Some(SpanId::INVALID);
    }
    hex(text, 16).and_then(|id| u64::try_from(id).ok()).map(SpanId::from)
}

/// Parses a span context, if both IDs are valid. An invalid trace state becomes an empty one.
pub(crate) fn span_context(given: &tracing::SpanContext) -> Option<SpanContext> {
    let (trace, span) = (trace_id(&given.trace_id)?, span_id(&given.span_id)?);
    Some(SpanContext::new(trace, span, flags(given.trace_flags), given.is_remote, state(&given.trace_state)))
}

pub(crate) fn flags(given: tracing::TraceFlags) -> TraceFlags {
    TraceFlags::default().with_sampled(given.contains(tracing::TraceFlags::SAMPLED))
}

fn state(given: &[(String, String)]) -> TraceState {
    let (members, length) = MAX_STATE;
    let printable = |text: &str| text.bytes().all(|byte| matches!(byte, b' '..=b'~'));
    let whole = given.iter().fold(0_usize, |sum, (key, value)| sum.saturating_add(key.len() + value.len() + 2));
    let fits = given.len() <= members && whole.saturating_sub(1) <= length;
    if !fits || !given.iter().all(|(key, value)| !key.is_empty() && printable(value)) {
        return TraceState::NONE;
    }
    let members = given.iter().map(|(key, value)| (key.as_str(), value.as_str()));
    TraceState::from_key_value(members).unwrap_or(TraceState::NONE)
}

/// Nanoseconds since 1970, clamped to [`i64::MAX`].
pub(crate) fn nanos(time: Datetime) -> u64 {
    let nanos = time.seconds.checked_mul(1_000_000_000).and_then(|nanos| nanos.checked_add(time.nanoseconds.into()));
    nanos.map_or(LAST, |nanos| nanos.min(LAST))
}

/// Converts a scope and its schema URL.
pub(crate) fn scope(given: types::InstrumentationScope) -> (InstrumentationScope, String) {
    let mut budget = MessageBudget::new(MAX_ORIGIN);
    let name = budget.text(given.name, MAX_NAME);
    let version = budget.text(given.version.unwrap_or_default(), MAX_NAME);
    let (attributes, dropped_attributes_count) = budget.attributes(given.attributes, MAX_ORIGIN_ATTRIBUTES);
    let schema_url = budget.text(given.schema_url.unwrap_or_default(), MAX_NAME);
    (InstrumentationScope { name, version, attributes, dropped_attributes_count }, schema_url)
}

impl OtelView<'_> {
    /// Converts the guest's resource, without attributes reserved by the host. The schema URL is dropped: the host's
    /// resource, into which this one is merged, may have another.
    pub(crate) fn resource(&self, mut given: types::Resource) -> Resource {
        given.attributes.retain(|attribute| !self.collector.reserves(&attribute.key));
        let (attributes, dropped_attributes_count) =
            MessageBudget::new(MAX_ORIGIN).attributes(given.attributes, MAX_ORIGIN_ATTRIBUTES);
        let resource = Resource { attributes, dropped_attributes_count, entity_refs: Vec::new() };
        if resource.attributes.is_empty() || self.budgets.resources.admit(resource.encode_to_vec()) {
            return resource;
        }
        // Beyond the limit on resources, items are still forwarded, under the host's resource.
        let dropped = count(resource.attributes.len()).saturating_add(dropped_attributes_count);
        Resource { dropped_attributes_count: dropped, ..Resource::default() }
    }
}

/// Converts a count.
pub(crate) fn count(things: usize) -> u32 {
    u32::try_from(things).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids() {
        let trace = "0af7651916cd43dd8448eb211c80319c";
        assert_eq!(trace_id(trace).unwrap().to_string(), trace);
        assert_eq!(trace_id(&trace.to_uppercase()).unwrap().to_string(), trace);
        // Without leading zeros.
        assert_eq!(trace_id(&trace[1..]).unwrap().to_string(), trace);
        for bad in ["", "0", &"0".repeat(32), &format!("0{trace}"), "+1", "-1", "0x1", "g", " 1", "é"] {
            assert_eq!(trace_id(bad), None, "{bad:?}");
        }
        assert_eq!(span_id("b7ad6b7169203331").unwrap().to_string(), "b7ad6b7169203331");
        assert_eq!(span_id("1").unwrap(), SpanId::from(1));
        for bad in ["", "0000000000000000", "0b7ad6b7169203331", "b7ad6b716920333x"] {
            assert_eq!(span_id(bad), None, "{bad:?}");
        }
        assert_eq!([parent_id(""), parent_id("0000000000000000")], [Some(SpanId::INVALID); 2]);
        assert_eq!([parent_id("x"), parent_id("00000000000000000")], [None; 2]);
    }

    #[test]
    fn times() {
        let at = |seconds, nanoseconds| nanos(Datetime { seconds, nanoseconds });
        assert_eq!(at(0, 0), 0);
        assert_eq!(at(1, 999_999_999), 1_999_999_999);
        assert_eq!(at(1, u32::MAX), 5_294_967_295);
        assert_eq!(at(LAST / 1_000_000_000, 854_775_806), LAST - 1);
        assert_eq!(at(LAST / 1_000_000_000, 854_775_807), LAST);
        assert_eq!(at(LAST / 1_000_000_000, 854_775_808), LAST);
        assert_eq!([at(u64::MAX / 1_000_000_000, u32::MAX), at(u64::MAX, 0)], [LAST; 2]);
    }

    #[test]
    fn states_at_their_edges() {
        let state = |members: &[(&str, &str)]| {
            let members: Vec<_> = members.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
            state(&members).header()
        };
        assert_eq!(state(&[("b", "2"), ("a@x", "1 ")]), "b=2,a@x=1 ");
        for bad in [("", "1"), ("A", "1"), ("a", "1,2"), ("a", "1=2"), ("a", "é"), ("a", "\r\n"), ("a b", "1")] {
            assert_eq!(state(&[("ok", "1"), bad]), "", "{bad:?}");
        }
        let keys: Vec<String> = (0..33).map(|n| format!("k{n}")).collect();
        let members: Vec<_> = keys.iter().map(|key| (key.as_str(), "v")).collect();
        assert_eq!(state(&members[..31]).split(',').count(), 31);
        assert_eq!(state(&members[..32]).split(',').count(), 32);
        assert_eq!(state(&members), "");
        let value = "v".repeat(256);
        // 2 + 256 + 1 + 2 + 251 is the limit.
        for (length, fits) in [(250, true), (251, true), (252, false)] {
            assert_eq!(!state(&[("a", &value), ("b", &value[..length])]).is_empty(), fits, "{length}");
        }
    }

    #[test]
    fn scopes_at_the_edge() {
        let attribute = |n: usize| types::KeyValue { key: format!("k{n}"), value: "1".to_owned() };
        for (length, kept, dropped) in [(31, 31, 0), (32, 32, 0), (33, 32, 1)] {
            let text = Some("u".repeat(MAX_NAME - 32 + length));
            let given = types::InstrumentationScope {
                name: text.clone().unwrap(),
                version: text.clone(),
                schema_url: text,
                attributes: (0..length).map(attribute).collect(),
            };
            let (scope, schema_url) = scope(given);
            assert_eq!((scope.attributes.len(), scope.dropped_attributes_count), (kept, dropped));
            let expected = MAX_NAME.min(MAX_NAME - 32 + length);
            assert_eq!([scope.name.len(), scope.version.len(), schema_url.len()], [expected; 3]);
        }
    }
}
