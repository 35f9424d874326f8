//! The hooks of a component without telemetry: they do nothing, and compile to nothing.

use std::borrow::Cow;
use std::future::Future;

/// The span of a call of the component: there is none.
#[derive(Debug)]
pub struct Root;

impl Root {
    /// Nothing; the name is not asked for.
    pub fn new(_name: impl FnOnce() -> Cow<'static, str>) -> Self {
        Self
    }

    /// `call` itself.
    pub fn run<F: Future>(self, call: F) -> F {
        call
    }
}

/// `work` itself.
pub fn task<F: Future>(work: F) -> F {
    work
}

/// No headers.
pub fn headers(_has: impl Fn(&str) -> bool) -> [(&'static str, String); 0] {
    []
}
