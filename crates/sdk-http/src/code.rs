//! Maps the cases of `wasi:http/types.error-code` to their WIT names and to an [`ErrorKind`].

use wasip3::http::types::ErrorCode as Code;

use crate::ErrorKind;

/// Returns the WIT name of `code` and its kind.
pub(crate) fn name_and_kind(code: &Code) -> (&'static str, ErrorKind) {
    use ErrorKind::{Body, Denied, InvalidRequest, Other, Protocol, Timeout, Tls, TooLarge, Unreachable};
    match code {
        Code::DnsTimeout => ("DNS-timeout", Timeout),
        Code::DnsError(_) => ("DNS-error", Unreachable),
        Code::DestinationNotFound => ("destination-not-found", Unreachable),
        Code::DestinationUnavailable => ("destination-unavailable", Unreachable),
        Code::DestinationIpProhibited => ("destination-IP-prohibited", Denied),
        Code::DestinationIpUnroutable => ("destination-IP-unroutable", Unreachable),
        Code::ConnectionRefused => ("connection-refused", Unreachable),
        Code::ConnectionTerminated => ("connection-terminated", Body),
        Code::ConnectionTimeout => ("connection-timeout", Timeout),
        Code::ConnectionReadTimeout => ("connection-read-timeout", Timeout),
        Code::ConnectionWriteTimeout => ("connection-write-timeout", Timeout),
        Code::ConnectionLimitReached => ("connection-limit-reached", Other),
        Code::TlsProtocolError => ("TLS-protocol-error", Tls),
        Code::TlsCertificateError => ("TLS-certificate-error", Tls),
        Code::TlsAlertReceived(_) => ("TLS-alert-received", Tls),
        Code::HttpRequestDenied => ("HTTP-request-denied", Denied),
        Code::HttpRequestLengthRequired => ("HTTP-request-length-required", InvalidRequest),
        Code::HttpRequestBodySize(_) => ("HTTP-request-body-size", TooLarge),
        Code::HttpRequestMethodInvalid => ("HTTP-request-method-invalid", InvalidRequest),
        Code::HttpRequestUriInvalid => ("HTTP-request-URI-invalid", InvalidRequest),
        Code::HttpRequestUriTooLong => ("HTTP-request-URI-too-long", InvalidRequest),
        Code::HttpRequestHeaderSectionSize(_) => ("HTTP-request-header-section-size", InvalidRequest),
        Code::HttpRequestHeaderSize(_) => ("HTTP-request-header-size", InvalidRequest),
        Code::HttpRequestTrailerSectionSize(_) => ("HTTP-request-trailer-section-size", InvalidRequest),
        Code::HttpRequestTrailerSize(_) => ("HTTP-request-trailer-size", InvalidRequest),
        Code::HttpResponseIncomplete => ("HTTP-response-incomplete", Body),
        Code::HttpResponseHeaderSectionSize(_) => ("HTTP-response-header-section-size", Protocol),
        Code::HttpResponseHeaderSize(_) => ("HTTP-response-header-size", Protocol),
        Code::HttpResponseBodySize(_) => ("HTTP-response-body-size", Body),
        Code::HttpResponseTrailerSectionSize(_) => ("HTTP-response-trailer-section-size", Protocol),
        Code::HttpResponseTrailerSize(_) => ("HTTP-response-trailer-size", Protocol),
        Code::HttpResponseTransferCoding(_) => ("HTTP-response-transfer-coding", Protocol),
        Code::HttpResponseContentCoding(_) => ("HTTP-response-content-coding", Protocol),
        Code::HttpResponseTimeout => ("HTTP-response-timeout", Timeout),
        Code::HttpUpgradeFailed => ("HTTP-upgrade-failed", Protocol),
        Code::HttpProtocolError => ("HTTP-protocol-error", Protocol),
        Code::LoopDetected => ("loop-detected", Other),
        Code::ConfigurationError => ("configuration-error", Other),
        Code::InternalError(_) => ("internal-error", Other),
    }
}
