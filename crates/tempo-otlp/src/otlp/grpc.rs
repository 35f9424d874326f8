//! OTLP over gRPC: message framing, and the meaning of statuses.
//!
//! A gRPC call is an HTTP/2 request whose status is in the trailers, or in the head if there is no body.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::GeneralPurpose;
use base64::engine::general_purpose::GeneralPurposeConfig;
use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use percent_encoding::percent_decode_str;
use prost::Message;

use crate::otlp::retry::{ExportOutcome, sanitized};
use crate::otlp::transport::{Answer, taken};

pub(crate) const CONTENT_TYPE: &str = "application/grpc";
/// The header of the message compression.
pub(crate) const ENCODING: &str = "grpc-encoding";

/// Length of a message's prefix, in bytes: a compression flag and the message length.
const PREFIX_BYTES: usize = 5;

const OK: u16 = 0;
const RESOURCE_EXHAUSTED: u16 = 8;
/// CANCELLED, DEADLINE_EXCEEDED, ABORTED, OUT_OF_RANGE, UNAVAILABLE, DATA_LOSS.
const RETRYABLE: [u16; 6] = [1, 4, 10, 11, 14, 15];

/// Returns the prefix of the message in `parts`.
pub(crate) fn prefix(compressed: bool, parts: &[Bytes]) -> Bytes {
    // A batch is far smaller than the maximum length.
    let length =
        parts.iter().fold(0_u32, |sum, part| sum.saturating_add(u32::try_from(part.len()).unwrap_or(u32::MAX)));
    let mut out = vec![u8::from(compressed)];
    out.extend_from_slice(&length.to_be_bytes());
    out.into()
}

pub(crate) fn outcome(answer: &Answer) -> ExportOutcome {
    if answer.head.status != StatusCode::OK {
        return by_http(answer.head.status);
    }
    let ends = [&answer.trailers, &answer.head.headers].into_iter().find(|fields| fields.contains_key("grpc-status"));
    let Some(fields) = ends else { return ExportOutcome::no_response("the answer broke off") };
    let status = text(fields, "grpc-status").and_then(|text| text.parse().ok()).unwrap_or(2);
    if status == OK {
        // The request did not allow compression.
        let plain = answer.body.first() == Some(&0);
        return taken(answer.body.get(PREFIX_BYTES..).filter(|_| plain).unwrap_or_default());
    }
    let message = percent_decode_str(text(fields, "grpc-message").unwrap_or_default()).decode_utf8_lossy();
    let why = format!("gRPC status {status} {}", sanitized(&message)).trim_end().to_owned();
    let after = text(fields, "grpc-status-details-bin").and_then(retry_info);
    match status {
        RESOURCE_EXHAUSTED if after.is_some() => ExportOutcome::Retryable { why, after },
        status if RETRYABLE.contains(&status) => ExportOutcome::Retryable { why, after },
        _ => ExportOutcome::Rejected { why },
    }
}

/// Maps the HTTP status of an intermediary.
fn by_http(status: StatusCode) -> ExportOutcome {
    let why = format!("HTTP status {}", status.as_u16());
    match status.as_u16() {
        429 | 502..=504 => ExportOutcome::Retryable { why, after: None },
        _ => ExportOutcome::Rejected { why },
    }
}

fn text<'a>(fields: &'a HeaderMap, name: &str) -> Option<&'a str> {
    fields.get(name)?.to_str().ok()
}

/// The relevant part of `google.rpc.Status`.
#[derive(Message)]
struct Status {
    #[prost(message, repeated, tag = "3")]
    details: Vec<Any>,
}

/// `google.protobuf.Any`
#[derive(Message)]
struct Any {
    #[prost(string, tag = "1")]
    type_url: String,
    #[prost(bytes = "vec", tag = "2")]
    value: Vec<u8>,
}

/// `google.rpc.RetryInfo`
#[derive(Message)]
struct RetryInfo {
    #[prost(message, optional, tag = "1")]
    delay: Option<Delay>,
}

/// `google.protobuf.Duration`
#[derive(Message)]
struct Delay {
    #[prost(int64, tag = "1")]
    seconds: i64,
    #[prost(int32, tag = "2")]
    nanos: i32,
}

/// Returns the delay that the collector requests.
fn retry_info(details: &str) -> Option<Duration> {
    // Padding is optional.
    let config = GeneralPurposeConfig::new().with_decode_padding_mode(base64::engine::DecodePaddingMode::Indifferent);
    let engine = GeneralPurpose::new(&base64::alphabet::STANDARD, config);
    let status = Status::decode(engine.decode(details).ok()?.as_slice()).ok()?;
    let info = status.details.iter().find(|detail| detail.type_url.ends_with("/google.rpc.RetryInfo"))?;
    let delay = RetryInfo::decode(info.value.as_slice()).ok()?.delay.unwrap_or_default();
    let (seconds, nanos) = (u64::try_from(delay.seconds).ok()?, u32::try_from(delay.nanos).ok()?);
    Some(Duration::from_secs(seconds).saturating_add(Duration::from_nanos(nanos.into())))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, fields: &[(&'static str, &str)], in_head: bool, body: &'static [u8]) -> Answer {
        let (mut head, ()) = http::Response::builder().status(status).body(()).unwrap().into_parts();
        let mut trailers = HeaderMap::new();
        let target = if in_head { &mut head.headers } else { &mut trailers };
        fields.iter().for_each(|(name, value)| drop(target.insert(*name, value.parse().unwrap())));
        Answer { head, body: Bytes::from_static(body), trailers, complete: true }
    }

    fn details(seconds: i64) -> String {
        let value = RetryInfo { delay: Some(Delay { seconds, nanos: 0 }) }.encode_to_vec();
        let other = Any { type_url: "type.googleapis.com/google.rpc.Help".into(), value: vec![1] };
        let info = Any { type_url: "type.googleapis.com/google.rpc.RetryInfo".into(), value };
        base64::engine::general_purpose::STANDARD_NO_PAD.encode(Status { details: vec![other, info] }.encode_to_vec())
    }

    #[test]
    fn statuses_map_to_outcomes_as_specified() {
        for status in 0..=17_u16 {
            let text = status.to_string();
            for in_head in [true, false] {
                let outcome = outcome(&answer(200, &[("grpc-status", &text)], in_head, b""));
                let kind = match outcome {
                    ExportOutcome::Accepted { .. } => 't',
                    ExportOutcome::Retryable { .. } => 'l',
                    ExportOutcome::Rejected { .. } => 'r',
                };
                assert_eq!("tlrrlrrrrrllrrllrr".chars().nth(status.into()).unwrap(), kind, "{status}");
            }
        }
        assert!(matches!(outcome(&answer(200, &[], true, b"")), ExportOutcome::Retryable { .. }));
        assert!(matches!(outcome(&answer(200, &[("grpc-status", "x")], true, b"")), ExportOutcome::Rejected { .. }));
        assert!(matches!(outcome(&answer(503, &[], true, b"")), ExportOutcome::Retryable { .. }));
        assert!(matches!(outcome(&answer(401, &[], true, b"")), ExportOutcome::Rejected { .. }));
    }

    #[test]
    fn resource_exhausted_is_retryable_only_with_retry_info() {
        let with_delay = |seconds| {
            outcome(&answer(200, &[("grpc-status", "8"), ("grpc-status-details-bin", &details(seconds))], false, b""))
        };
        let after = Some(Duration::from_secs(3));
        assert_eq!(with_delay(3), ExportOutcome::Retryable { why: "gRPC status 8".into(), after });
        assert!(matches!(with_delay(-1), ExportOutcome::Rejected { .. }));
    }

    #[test]
    fn what_was_rejected_is_read_from_the_body() {
        // partial_success { rejected: 7, error_message: "no" }
        let body = b"\0\0\0\0\x08\x0a\x06\x08\x07\x12\x02no";
        let accepted = outcome(&answer(200, &[("grpc-status", "0")], false, body));
        assert_eq!(accepted, ExportOutcome::Accepted { rejected: 7, message: "no".into() });
        let truncated = outcome(&answer(200, &[("grpc-status", "0")], false, b"\x01\0\0"));
        assert_eq!(truncated, ExportOutcome::Accepted { rejected: 0, message: String::new() });
    }
}
