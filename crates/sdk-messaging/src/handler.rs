//! How a handler ends: what it returns, and what becomes of the message.

use std::error::Error;
use std::fmt;
use std::time::Duration;

use crate::bindings::exports::tempo::messaging::handler::Disposition;

type BoxError = Box<dyn Error + Send + Sync + 'static>;

/// Why a message was not handled, and what is to become of it: it is delivered again, or it never is.
///
/// Every other error becomes one by `?`, and has the message delivered again, when the subscription's own backoff says:
///
/// ```
/// # mod guest {
/// use std::time::Duration;
/// use tempo_sdk_messaging::{HandlerError, Message};
///
/// #[tempo_sdk_messaging::handler]
/// async fn handle(message: Message) -> Result<(), HandlerError> {
///     // What cannot be read now cannot be read later: it goes to the dead letters.
///     let amount: u32 = message.json().map_err(HandlerError::reject)?;
///     if amount == 0 {
///         return Err(HandlerError::reject("an amount of nothing"));
///     }
///     // This may succeed next time.
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
/// It is no [`std::error::Error`] itself, as every such error becomes one of these.
pub struct HandlerError {
    reason: BoxError,
    fate: Fate,
}

#[derive(Debug)]
enum Fate {
    Retry(Option<Duration>),
    Reject,
}

impl HandlerError {
    /// The message is to be delivered again, when the subscription's own backoff says. `reason` goes to standard error.
    pub fn new(reason: impl Into<BoxError>) -> Self {
        Self { reason: reason.into(), fate: Fate::Retry(None) }
    }

    /// The message is not to be delivered again: the host keeps it with `reason` among the dead letters.
    pub fn reject(reason: impl Into<BoxError>) -> Self {
        Self { reason: reason.into(), fate: Fate::Reject }
    }

    /// The message is to be delivered again, not before `delay` is over, in whole milliseconds (rounded up).
    #[must_use]
    pub fn retry_after(mut self, delay: Duration) -> Self {
        self.fate = Fate::Retry(Some(delay));
        self
    }
}

impl<E: Into<BoxError>> From<E> for HandlerError {
    fn from(error: E) -> Self {
        Self::new(error)
    }
}

/// The reason with its causes, in one line.
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
        f.debug_struct("HandlerError").field("reason", &self.reason).field("fate", &self.fate).finish()
    }
}

/// What a [`handler`](macro@crate::handler) may return: nothing, or a `Result` whose error decides what becomes of the message.
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not say what becomes of the message",
    label = "not the end of a handler",
    note = "return `Result<(), E>`, where `E` is `tempo_sdk_messaging::HandlerError` or any error"
)]
pub trait IntoDisposition {
    /// Whether the message was handled.
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

/// What the host is told. It hears no reason for a retry, so that goes to standard error.
pub(crate) fn disposition(returned: Result<(), HandlerError>) -> Disposition {
    let Err(error) = returned else { return Disposition::Ack };
    match error.fate {
        Fate::Reject => Disposition::Reject(error.to_string()),
        Fate::Retry(delay) => {
            eprintln!("error: {error}");
            Disposition::Retry(delay.map(milliseconds))
        }
    }
}

/// Rounded up, so that the message does not come too early.
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
