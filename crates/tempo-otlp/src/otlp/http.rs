//! OTLP over HTTP with protobuf: the meaning of statuses.

use std::time::SystemTime;

use http::StatusCode;
use http::header::RETRY_AFTER;

use crate::otlp::retry::{ExportOutcome, retry_after};
use crate::otlp::transport::{Answer, taken};

pub(crate) const CONTENT_TYPE: &str = "application/x-protobuf";

pub(crate) fn outcome(answer: &Answer) -> ExportOutcome {
    let status = answer.head.status;
    // A truncated body does not revoke the acceptance.
    if status.is_success() {
        return taken(if answer.complete { &answer.body } else { &[] });
    }
    let why = format!("HTTP status {}", status.as_u16());
    match status {
        StatusCode::TOO_MANY_REQUESTS
        | StatusCode::BAD_GATEWAY
        | StatusCode::SERVICE_UNAVAILABLE
        | StatusCode::GATEWAY_TIMEOUT => {
            let after = answer.head.headers.get(RETRY_AFTER).and_then(|value| value.to_str().ok());
            ExportOutcome::Retryable { why, after: after.and_then(|value| retry_after(value, SystemTime::now())) }
        }
        _ => ExportOutcome::Rejected { why },
    }
}
