//! Comparisons that report the difference and its location.

pub(crate) use crate::outcome::{Differs, Outcome, holds, same};

use crate::api::StreamError;

/// The draft's errors are texts.
impl From<String> for Differs {
    #[track_caller]
    fn from(error: String) -> Self {
        Self::new(error)
    }
}

impl From<StreamError> for Differs {
    #[track_caller]
    fn from(error: StreamError) -> Self {
        match error {
            StreamError::Closed => Self::new("the stream is closed"),
            StreamError::LastOperationFailed(error) => Self::new(error.to_debug_string()),
        }
    }
}

/// Checks that `got` is an error with a message.
#[track_caller]
pub(crate) fn fails<T>(what: &str, got: Result<T, String>) -> Outcome {
    match got {
        Err(text) if !text.is_empty() => Ok(()),
        Err(_) => Err(Differs::new(format_args!("{what}: an error that does not say why"))),
        Ok(_) => Err(Differs::new(format_args!("{what}: no error"))),
    }
}
