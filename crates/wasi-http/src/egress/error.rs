//! Errors of grants, and denials of requests.

use std::net::IpAddr;

use tempo_settings::AddressKind;
use wasmtime_wasi_http::Error;

/// A malformed grant.
///
/// The message names the flag, the position of the value, and the expected format. It omits the value, which may
/// contain a password.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("value {position} of {flag}: expected {expected}")]
pub struct GrantError {
    flag: &'static str,
    position: usize,
    expected: &'static str,
}

impl GrantError {
    /// Creates an error; `index` counts from zero.
    pub(super) fn new(flag: &'static str, index: usize, expected: &'static str) -> Self {
        Self { flag, position: index.saturating_add(1), expected }
    }

    /// Returns the flag of the value, for example `--allow-http`.
    pub fn flag(&self) -> &'static str {
        self.flag
    }

    /// Returns the position of the value among the flag's values, counted from one.
    pub fn position(&self) -> usize {
        self.position
    }

    /// Returns the expected format.
    pub fn expected(&self) -> &'static str {
        self.expected
    }
}

/// Why the policy denies a request.
///
/// The messages are for the operator. A component only gets the [`Error`] converted from this value, which contains no
/// names and addresses.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Denied {
    /// The URL is not valid for an outgoing request.
    #[error("not a usable URL: {0}")]
    Url(&'static str),
    /// The scheme is neither `http` nor `https`.
    #[error("the scheme is neither http nor https")]
    Scheme,
    /// No grant covers the URL.
    #[error("{origin} is not granted")]
    Ungranted {
        /// Scheme, host and port, as a grant would name them.
        origin: String,
    },
    /// The address needs a grant of its own.
    #[error("{authority} is at {address}, which is {kind} and not granted")]
    Address {
        /// Host and port of the request.
        authority: String,
        /// The denied address, v4-mapped ones as IPv4.
        address: IpAddr,
        /// The kind of the address.
        kind: AddressKind,
    },
}

impl From<Denied> for Error {
    fn from(denied: Denied) -> Self {
        match denied {
            Denied::Url(_) => Self::HttpRequestUriInvalid,
            Denied::Scheme => Self::HttpProtocolError,
            Denied::Ungranted { .. } => Self::HttpRequestDenied,
            Denied::Address { .. } => Self::DestinationIpProhibited,
        }
    }
}
