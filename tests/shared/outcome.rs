//! The outcome of a check, and comparisons that report the difference and its location. It is a module of each
//! conformance guest, not a crate, so that each guest converts its own errors.

use std::fmt::{self, Debug};
use std::panic::Location;

pub(crate) type Outcome = Result<(), Differs>;

/// A difference, with its location.
#[derive(Debug)]
pub(crate) struct Differs(pub(crate) String);

impl Differs {
    #[track_caller]
    pub(crate) fn new(what: impl fmt::Display) -> Self {
        let place = Location::caller();
        Self(format!("{what} ({}:{})", place.file(), place.line()))
    }
}

impl fmt::Display for Differs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Checks that `got` equals `wanted`.
#[track_caller]
#[expect(clippy::needless_pass_by_value, reason = "a comparison reads better without a reference on both sides")]
pub(crate) fn same<A: Debug + PartialEq<B>, B: Debug>(what: &str, got: A, wanted: B) -> Outcome {
    if got == wanted {
        return Ok(());
    }
    Err(Differs::new(format_args!("{what}: {}, and not {}", short(&got), short(&wanted))))
}

/// Checks that `holds` is true.
#[track_caller]
pub(crate) fn holds(what: &str, holds: bool) -> Outcome {
    if holds { Ok(()) } else { Err(Differs::new(format_args!("this does not hold: {what}"))) }
}

/// Truncates long values.
pub(crate) fn short(value: &impl Debug) -> String {
    let text = format!("{value:?}");
    if text.chars().count() <= 400 {
        return text;
    }
    text.chars().take(400).chain("...".chars()).collect()
}
