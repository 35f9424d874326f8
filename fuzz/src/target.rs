//! `Target`: a fuzz target with its seeds.

/// A fuzz target.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// The name, which is that of its module and of its program in `fuzz_targets/`.
    pub name: &'static str,
    /// Parses an input and asserts the invariants of the result.
    pub run: fn(&[u8]) -> Outcome,
    /// Returns valid inputs, which the target accepts.
    pub seeds: fn() -> Vec<Vec<u8>>,
    /// Texts with a meaning in the input, which mutations insert.
    pub tokens: &'static [&'static str],
}

/// The decision of the parser under test.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The input is valid.
    Accepted,
    /// The input is malformed.
    Refused,
}

impl Outcome {
    /// Returns [`Accepted`](Self::Accepted) if `accepted` is true.
    pub(crate) fn of(accepted: bool) -> Self {
        if accepted { Self::Accepted } else { Self::Refused }
    }
}

/// All targets.
pub const TARGETS: &[Target] = &[
    crate::backend_urls::TARGET,
    crate::egress_grants::TARGET,
    crate::env_file::TARGET,
    crate::http_fields::TARGET,
    crate::messages::TARGET,
    crate::otel_values::TARGET,
    crate::otlp_intake::TARGET,
    crate::precompiled::TARGET,
    crate::settings_file::TARGET,
    crate::topics::TARGET,
];
