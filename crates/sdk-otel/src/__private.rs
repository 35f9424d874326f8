//! Support for the code that `#[instrument]` generates. Not public API: it may change in any release.

use std::fmt::{Debug, Display};

use tracing::Span;
use tracing::field::{self, DebugValue};

pub use tracing;

/// An argument that is recorded with `Debug`.
#[diagnostic::on_unimplemented(
    message = "`#[instrument]` records the arguments by `Debug`, which `{Self}` has not",
    label = "cannot be recorded",
    note = "derive `Debug`, or leave it out: `#[instrument(skip(..))]` or `#[instrument(skip_all)]`"
)]
pub trait Argument: Debug {}

#[diagnostic::do_not_recommend]
impl<T: Debug + ?Sized> Argument for T {}

/// Returns the field value of an argument. Its type does not mention `T`, so that an argument without `Debug` is one
/// error only.
pub fn argument<'a, T: Argument>(argument: &'a T) -> DebugValue<&'a (dyn Debug + 'a)> {
    field::debug(argument)
}

/// The return type of a function with `err`.
#[diagnostic::on_unimplemented(
    message = "`err` records the error of a `Result`, and this function returns `{Self}`",
    label = "not a `Result` whose error has `Display`",
    note = "remove `err`, or return a `Result` whose error implements `Display`"
)]
pub trait Outcome {
    /// Returns the error, if there is one.
    fn error(&self) -> Option<&dyn Display>;
}

#[diagnostic::do_not_recommend]
impl<T, E: Display> Outcome for Result<T, E> {
    fn error(&self) -> Option<&dyn Display> {
        self.as_ref().err().map(|error| error as &dyn Display)
    }
}

/// Sets the span's status if `outcome` is an error, and returns the error.
pub fn failed<'a, O: Outcome>(span: &Span, outcome: &'a O) -> Option<&'a dyn Display> {
    let error = outcome.error()?;
    span.record("otel.status_description", field::display(error));
    Some(error)
}

/// Calls `work`. The bound makes the closure `FnOnce`, which may return what it borrowed.
pub fn once<T>(work: impl FnOnce() -> T) -> T {
    work()
}
