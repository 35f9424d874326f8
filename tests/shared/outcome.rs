//! How a check ends, and comparisons that say what differed and where. A module of each guest that checks its host, and no
//! crate, so that each can say what its own errors are.

use std::fmt::{self, Debug};
use std::panic::Location;

pub(crate) type Outcome = Result<(), Differs>;

/// What is not as it must be, with the place that says so.
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

/// `got` must be `wanted`.
#[track_caller]
#[expect(clippy::needless_pass_by_value, reason = "a comparison reads better without a reference on both sides")]
pub(crate) fn same<A: Debug + PartialEq<B>, B: Debug>(what: &str, got: A, wanted: B) -> Outcome {
    if got == wanted {
        return Ok(());
    }
    Err(Differs::new(format_args!("{what}: {}, and not {}", short(&got), short(&wanted))))
}

/// `holds` must be so.
#[track_caller]
pub(crate) fn holds(what: &str, holds: bool) -> Outcome {
    if holds { Ok(()) } else { Err(Differs::new(format_args!("this does not hold: {what}"))) }
}

/// A value of a megabyte is not for reading.
pub(crate) fn short(value: &impl Debug) -> String {
    let text = format!("{value:?}");
    if text.chars().count() <= 400 {
        return text;
    }
    text.chars().take(400).chain("...".chars()).collect()
}
