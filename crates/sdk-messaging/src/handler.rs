//! The return values of a handler, and the dispositions that they map to.

use std::error::Error;
use std::fmt;
use std::time::Duration;

use crate::bindings::exports::tempo::messaging::handler::Disposition;

type BoxError = Box<dyn Error + Send + Sync + 'static>;

/// The error of a handler, which decides whether the message is retried or rejected.
///
/// `?` converts every other error to a retry with the subscription's own backoff:
///
/// ```
/// # mod guest {
/// use std::time::Duration;
/// use tempo_sdk_messaging::{HandlerError, Message};
///
/// #[tempo_sdk_messaging::handler]
/// async fn handle(message: Message) -> Result<(), HandlerError> {
///     // A malformed message stays malformed: reject it to the dead letters.
///     let amount: u32 = message.json().map_err(HandlerError::reject)?;
///     if amount == 0 {
///         return Err(HandlerError::reject("an amount of nothing"));
///     }
///     // This may succeed on the next attempt.
///     tempo_sdk_messaging::publish("amounts.seen", &amount).await?;
///     if amount > 1_000 && message.attempt() < 3 {
///         return Err(HandlerError::new("it is still too early").retry_after(Duration::from_secs(60)));
///     }
///     Ok(())
/// }
/// # }
/// # fn main() {}
/// ```
///
/// `HandlerError` does not implement [`std::error::Error`], because it converts from every type that does.
pub struct HandlerError {
    reason: BoxError,
    disposition: ErrorDisposition,
}

#[derive(Debug)]
enum ErrorDisposition {
    Retry(Option<Duration>),
    Reject,
}

impl HandlerError {
    /// Requests another delivery, after the subscription's own backoff. The SDK writes `reason` to standard error.
    pub fn new(reason: impl Into<BoxError>) -> Self {
        Self { reason: reason.into(), disposition: ErrorDisposition::Retry(None) }
    }

    /// Rejects the message: the broker stops delivering it and keeps it with `reason` as a dead letter.
    pub fn reject(reason: impl Into<BoxError>) -> Self {
        Self { reason: reason.into(), disposition: ErrorDisposition::Reject }
    }

    /// Delays the next delivery by at least `delay`, in whole milliseconds (rounded up).
    #[must_use]
    pub fn retry_after(mut self, delay: Duration) -> Self {
        self.disposition = ErrorDisposition::Retry(Some(delay));
        self
    }
}

impl<E: Into<BoxError>> From<E> for HandlerError {
    fn from(error: E) -> Self {
        Self::new(error)
    }
}

/// Writes the reason with its causes, in one line.
impl fmt::Display for HandlerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.reason)?;
        let mut next = self.reason.source();
        while let Some(cause) = next {
            write!(f, ": {cause}")?;
            next = cause.source();
        }
        Ok(())
    }
}

impl fmt::Debug for HandlerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HandlerError").field("reason", &self.reason).field("disposition", &self.disposition).finish()
    }
}

/// The return type of a [`handler`](macro@crate::handler): nothing, or a `Result` whose error decides between retry and
/// rejection.
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not say what becomes of the message",
    label = "not the end of a handler",
    note = "return `Result<(), E>`, where `E` is `tempo_sdk_messaging::HandlerError` or any error"
)]
pub trait IntoDisposition {
    /// Returns `Ok` if the message was handled.
    #[doc(hidden)]
    fn into_disposition(self) -> Result<(), HandlerError>;
}

impl IntoDisposition for () {
    fn into_disposition(self) -> Result<(), HandlerError> {
        Ok(())
    }
}

impl<E: Into<HandlerError>> IntoDisposition for Result<(), E> {
    fn into_disposition(self) -> Result<(), HandlerError> {
        self.map_err(Into::into)
    }
}

/// Converts the handler's result to the WIT disposition. A retry carries no reason to the host, so it goes to standard
/// error.
pub(crate) fn disposition(returned: Result<(), HandlerError>) -> Disposition {
    let Err(error) = returned else { return Disposition::Ack };
    match error.disposition {
        ErrorDisposition::Reject => Disposition::Reject(error.to_string()),
        ErrorDisposition::Retry(delay) => {
            eprintln!("error: {error}");
            Disposition::Retry(delay.map(milliseconds))
        }
    }
}

/// Converts to milliseconds, rounded up so that the message is not delivered too early.
fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos().div_ceil(1_000_000)).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ErrorKind;
    use std::io;

    fn of<E: Into<HandlerError>>(error: E) -> Disposition {
        disposition(Err::<(), E>(error).into_disposition())
    }

    #[test]
    fn the_error_decides() {
        assert!(matches!(disposition(().into_disposition()), Disposition::Ack));
        assert!(matches!(disposition(Ok::<(), io::Error>(()).into_disposition()), Disposition::Ack));
        let error = || crate::Error::new(ErrorKind::Unavailable, "away");
        assert!(matches!(of(error()), Disposition::Retry(None)));
        assert!(matches!(of("in words"), Disposition::Retry(None)));
        assert!(matches!(of(HandlerError::from(error())), Disposition::Retry(None)));
        let late = HandlerError::reject("x").retry_after(Duration::from_micros(1_500));
        assert!(matches!(of(late), Disposition::Retry(Some(2))));
    }

    #[test]
    fn a_rejection_has_its_reason_with_the_causes() {
        #[derive(Debug)]
        struct Outer(io::Error);
        impl fmt::Display for Outer {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("it failed")
            }
        }
        impl Error for Outer {
            fn source(&self) -> Option<&(dyn Error + 'static)> {
                Some(&self.0)
            }
        }
        let Disposition::Reject(reason) = of(HandlerError::reject(Outer(io::Error::other("disk on fire")))) else {
            panic!("not rejected")
        };
        assert_eq!(reason, "it failed: disk on fire");
    }
}
