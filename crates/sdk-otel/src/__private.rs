//! What the code that `#[instrument]` writes refers to. Not for use by hand: it may change in any release.

use std::fmt::{Debug, Display};

use tracing::Span;
use tracing::field::{self, DebugValue};

pub use tracing;

/// An argument that is recorded by what `Debug` makes of it.
#[diagnostic::on_unimplemented(
    message = "`#[instrument]` records the arguments by `Debug`, which `{Self}` has not",
    label = "cannot be recorded",
    note = "derive `Debug`, or leave it out: `#[instrument(skip(..))]` or `#[instrument(skip_all)]`"
)]
pub trait Argument: Debug {}

#[diagnostic::do_not_recommend]
impl<T: Debug + ?Sized> Argument for T {}

/// The value of the field of an argument. Its type says nothing of `T`, so that an argument without `Debug` is one error.
pub fn argument<'a, T: Argument>(argument: &'a T) -> DebugValue<&'a (dyn Debug + 'a)> {
    field::debug(argument)
}

/// What a function with `err` returns.
#[diagnostic::on_unimplemented(
    message = "`err` records the error of a `Result`, and this function returns `{Self}`",
    label = "not a `Result` whose error has `Display`",
    note = "remove `err`, or return a `Result` whose error implements `Display`"
)]
pub trait Outcome {
    /// The error, if it is one.
    fn error(&self) -> Option<&dyn Display>;
}

#[diagnostic::do_not_recommend]
impl<T, E: Display> Outcome for Result<T, E> {
    fn error(&self) -> Option<&dyn Display> {
        self.as_ref().err().map(|error| error as &dyn Display)
    }
}

/// Says of the span that it failed, if it did, and gives the error.
pub fn failed<'a, O: Outcome>(span: &Span, outcome: &'a O) -> Option<&'a dyn Display> {
    let error = outcome.error()?;
    span.record("otel.status_description", field::display(error));
    Some(error)
}

/// Calls `work`, and by its bound makes it a closure that may give back what it borrowed.
pub fn once<T>(work: impl FnOnce() -> T) -> T {
    work()
}
