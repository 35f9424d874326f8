//! What can be wrong with a grant, and why a request is denied.

use std::net::IpAddr;

use wasmtime_wasi_http::Error;

use super::address::Kind;

/// A grant that cannot be understood.
///
/// The message says which value of which flag it is and what was expected. It does not repeat the value, which may hold a
/// password.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("value {position} of {flag}: expected {expected}")]
pub struct GrantError {
    flag: &'static str,
    position: usize,
    expected: &'static str,
}

impl GrantError {
    /// `index` counts from zero.
    pub(super) fn new(flag: &'static str, index: usize, expected: &'static str) -> Self {
        Self { flag, position: index.saturating_add(1), expected }
    }

    /// The flag the value was given to, for example `--allow-http`.
    pub fn flag(&self) -> &'static str {
        self.flag
    }

    /// Which of the flag's values it is, counted from one.
    pub fn position(&self) -> usize {
        self.position
    }

    /// What would have been right.
    pub fn expected(&self) -> &'static str {
        self.expected
    }
}

/// Why a request may not be sent.
///
/// The messages are for whoever runs the component. A component only sees the [`Error`] made from this value, which says
/// nothing about names and addresses.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Denied {
    /// The URL cannot be one of an outgoing request.
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
    /// The address needs a grant of its own and has none.
    #[error("{authority} is at {address}, which is {kind} and not granted")]
    Address {
        /// Host and port of the request.
        authority: String,
        /// The address in question, v4-mapped ones as IPv4.
        address: IpAddr,
        /// Why it needs a grant of its own.
        kind: Kind,
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
