//! No-op hooks, for a component without telemetry.

use std::borrow::Cow;
use std::future::Future;

/// The root span of a call: none.
#[derive(Debug)]
pub struct RootSpan;

impl RootSpan {
    /// Does nothing; `_name` is not called.
    pub fn new(_name: impl FnOnce() -> Cow<'static, str>) -> Self {
        Self
    }

    /// Returns `call`.
    pub fn run<F: Future>(self, call: F) -> F {
        call
    }
}

/// Returns `work`.
pub fn task<F: Future>(work: F) -> F {
    work
}

/// Returns no headers.
pub fn headers(_has: impl Fn(&str) -> bool) -> [(&'static str, String); 0] {
    []
}
