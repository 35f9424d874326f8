//! Maps failures of the client to the errors that a component gets.
//!
//! Each cause has a distinct error, so that a component can decide what to retry. None contains text of the host.

use std::error::Error as StdError;
use std::io;

use rustls::AlertDescription;
use wasmtime_wasi_http::Error;

/// Why connecting failed. hyper passes it through as a source of its own error.
#[derive(Debug, Clone, thiserror::Error)]
pub(super) enum ConnectError {
    #[error("the address is not permitted")]
    AddressDenied,
    #[error("the request is not permitted")]
    Denied,
    #[error("the name could not be resolved")]
    Dns,
    #[error("the name was not resolved in time")]
    DnsTimeout,
    #[error("refused")]
    Refused,
    #[error("no route to the address")]
    Unroutable,
    #[error("unavailable")]
    Unavailable,
    #[error("not connected in time")]
    Timeout,
    #[error("too many connections")]
    Limit,
    #[error("the TLS handshake took too long")]
    TlsTimeout,
    #[error("the certificate was not accepted")]
    TlsCertificate,
    #[error("TLS alert {0:?}")]
    TlsAlert(AlertDescription),
    #[error("the TLS handshake failed")]
    TlsProtocol,
    #[error("closed by the peer")]
    Terminated,
}

impl ConnectError {
    /// Classifies a failed attempt to connect.
    pub(super) fn from_tcp(error: &io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::ConnectionRefused => Self::Refused,
            io::ErrorKind::TimedOut => Self::Timeout,
            io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable => Self::Unroutable,
            io::ErrorKind::ConnectionReset | io::ErrorKind::ConnectionAborted => Self::Terminated,
            _ => Self::Unavailable,
        }
    }

    /// Classifies a failed TLS handshake.
    pub(super) fn from_tls(error: &io::Error) -> Self {
        let cause = error.get_ref().and_then(|cause| cause.downcast_ref::<rustls::Error>());
        match cause {
            Some(
                rustls::Error::InvalidCertificate(_)
                | rustls::Error::NoCertificatesPresented
                | rustls::Error::UnsupportedNameType,
            ) => Self::TlsCertificate,
            Some(rustls::Error::AlertReceived(alert)) => Self::TlsAlert(*alert),
            Some(_) => Self::TlsProtocol,
            None if broken(error) => Self::Terminated,
            None => Self::TlsProtocol,
        }
    }

    fn to_guest(&self) -> Error {
        match self {
            Self::AddressDenied => Error::DestinationIpProhibited,
            Self::Denied => Error::HttpRequestDenied,
            // The text that wasmtime uses; the system's resolver provides no more detail.
            Self::Dns => Error::DnsError { rcode: Some("address not available".to_owned()), info_code: None },
            Self::DnsTimeout => Error::DnsTimeout,
            Self::Refused => Error::ConnectionRefused,
            Self::Unroutable => Error::DestinationIpUnroutable,
            Self::Unavailable => Error::DestinationUnavailable,
            Self::Timeout | Self::TlsTimeout => Error::ConnectionTimeout,
            Self::Limit => Error::ConnectionLimitReached,
            Self::TlsCertificate => Error::TlsCertificateError,
            Self::TlsAlert(alert) => Error::TlsAlertReceived {
                alert_id: Some(u8::from(*alert)),
                alert_message: alert.as_str().map(str::to_owned),
            },
            Self::TlsProtocol => Error::TlsProtocolError,
            Self::Terminated => Error::ConnectionTerminated,
        }
    }
}

/// Returns the error of a request without a response.
pub(super) fn request_error(error: &hyper_util::client::legacy::Error) -> Error {
    if let Some(cause) = find::<ConnectError>(error) {
        return cause.to_guest();
    }
    // A server that closes an HTTP/2 connection, or is overloaded, sends one of these. Others are protocol errors.
    if matches!(reason(error), Some(h2::Reason::NO_ERROR | h2::Reason::REFUSED_STREAM)) {
        return Error::ConnectionTerminated;
    }
    match find::<hyper::Error>(error) {
        Some(cause) => hyper_error(cause, Error::ConnectionTerminated),
        None => Error::HttpProtocolError,
    }
}

/// Returns the HTTP/2 error code, if any.
fn reason(error: &hyper_util::client::legacy::Error) -> Option<h2::Reason> {
    find::<h2::Error>(error)?.reason()
}

/// Returns whether a request got no response because the peer had closed the connection or refused further requests on
/// it.
pub(super) fn is_closed(error: &hyper_util::client::legacy::Error) -> bool {
    if let Some(error) = find::<h2::Error>(error) {
        return error.is_go_away() || error.is_io() || error.reason() == Some(h2::Reason::REFUSED_STREAM);
    }
    find::<hyper::Error>(error)
        .is_some_and(|error| matches!(hyper_error(error, Error::ConnectionTerminated), Error::ConnectionTerminated))
}

/// Returns the error of a truncated response body.
pub(super) fn response_error(error: &hyper::Error) -> Error {
    hyper_error(error, Error::HttpResponseIncomplete)
}

/// Maps `error`; `cut` is the result if the peer closed the connection prematurely.
fn hyper_error(error: &hyper::Error, cut: Error) -> Error {
    if error.is_timeout() {
        Error::ConnectionReadTimeout
    } else if error.is_parse_too_large() {
        Error::HttpResponseHeaderSectionSize(None)
    } else if error.is_parse() {
        Error::HttpProtocolError
    } else if error.is_incomplete_message() || error.is_closed() || find::<io::Error>(error).is_some_and(broken) {
        cut
    } else {
        Error::HttpProtocolError
    }
}

fn broken(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::UnexpectedEof
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::BrokenPipe
    )
}

/// Finds the first error of type `E` in the chain of sources.
fn find<'a, E: StdError + 'static>(error: &'a (dyn StdError + 'static)) -> Option<&'a E> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref::<E>() {
            return Some(found);
        }
        next = error.source();
    }
    None
}
