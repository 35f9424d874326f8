//! Why a response body fails before its end.

use wasmtime_wasi_http::Error;

/// The response body failed. hyper closes the connection or resets the stream, so that the client notices.
#[derive(Debug, thiserror::Error)]
#[error("the response broke off")]
pub(crate) struct BrokenOff;

/// Why a response body failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BodyFault {
    #[error("it failed: {0}")]
    Failed(Error),
    #[error("the component returned without finishing it")]
    Unfinished,
    #[error("it has {delivered} bytes, content-length is {announced}")]
    WrongLength { announced: u64, delivered: u64 },
}

impl BodyFault {
    /// Replaces wasmtime's error for a wrong length by `wrong_length`. In 0.2 that error is a generic protocol error.
    pub(crate) fn with_length_context(self, wrong_length: Option<Self>) -> Self {
        match (self, wrong_length) {
            (Self::Failed(Error::HttpResponseBodySize(Some(sent))), Some(Self::WrongLength { announced, .. })) => {
                Self::WrongLength { announced, delivered: sent }
            }
            (Self::Failed(Error::HttpProtocolError), Some(wrong_length)) => wrong_length,
            (fault, _) => fault,
        }
    }

    pub(crate) fn is_excess(&self) -> bool {
        matches!(self, Self::WrongLength { announced, delivered } if delivered > announced)
    }
}
