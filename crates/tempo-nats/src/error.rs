//! [`NatsError`] classifies the errors of the NATS client. Each service converts it to its own error; the client's error
//! text stays in the host's log.

use std::error::Error;

use async_nats::jetstream::ErrorCode;
use async_nats::jetstream::context::{
    GetStreamError, GetStreamErrorKind, PublishError, PublishErrorKind, RequestError, RequestErrorKind,
};
use async_nats::jetstream::stream::{
    ConsumerError, ConsumerErrorKind, DeleteMessageError, DeleteMessageErrorKind, DirectGetError, DirectGetErrorKind,
    RawMessageError, RawMessageErrorKind,
};
use async_nats::{StatusCode, client};

use crate::connection::ConnectionLost;

/// The reason why an operation on NATS failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NatsError {
    /// The subject's last sequence was not the expected one. Nothing was written.
    Conflict,
    /// The operation timed out. A write may have been done.
    Timeout,
    /// The connection was lost after the request was sent. A write may have been done.
    ConnectionLost,
    /// The server or stream is unreachable. Nothing was done.
    Unavailable,
    /// Too many writes await their acks.
    Backlog,
    /// The message exceeds the server's limit.
    AboveServer,
    /// The message exceeds the stream's limit.
    AboveStream,
    /// The stream does not support message TTLs.
    NoLifetimes,
    /// The server or the stream is full or busy.
    Full,
    /// The stream cannot be written.
    Sealed,
    /// The stream was deleted.
    Gone,
    /// Any other error; the host's log has the details.
    Other,
}

impl NatsError {
    /// Logs an unclassified error.
    pub(crate) fn other(error: &(impl Error + ?Sized)) -> Self {
        tracing::debug!(%error, "NATS");
        Self::Other
    }
}

impl From<ConnectionLost> for NatsError {
    fn from(lost: ConnectionLost) -> Self {
        match lost {
            ConnectionLost::NotSent => Self::Unavailable,
            ConnectionLost::AwaitingReply => Self::ConnectionLost,
        }
    }
}

impl From<PublishError> for NatsError {
    fn from(error: PublishError) -> Self {
        match error.kind() {
            PublishErrorKind::WrongLastSequence => Self::Conflict,
            PublishErrorKind::TimedOut => Self::Timeout,
            // The message was sent, but the ack's receiver is gone.
            PublishErrorKind::BrokenPipe => Self::ConnectionLost,
            PublishErrorKind::StreamNotFound => Self::Unavailable,
            PublishErrorKind::MaxAckPending => Self::Backlog,
            PublishErrorKind::MaxPayloadExceeded => Self::AboveServer,
            _ => {
                let answer = error.source().and_then(|source| source.downcast_ref::<async_nats::jetstream::Error>());
                answer.map_or_else(|| Self::other(&error), Self::from)
            }
        }
    }
}

impl From<client::PublishError> for NatsError {
    fn from(error: client::PublishError) -> Self {
        match error.kind() {
            client::PublishErrorKind::MaxPayloadExceeded => Self::AboveServer,
            _ => Self::other(&error),
        }
    }
}

impl From<client::RequestError> for NatsError {
    fn from(error: client::RequestError) -> Self {
        match error.kind() {
            client::RequestErrorKind::TimedOut => Self::Timeout,
            client::RequestErrorKind::NoResponders => Self::Unavailable,
            client::RequestErrorKind::MaxPayloadExceeded => Self::AboveServer,
            _ => Self::other(&error),
        }
    }
}

impl From<DirectGetError> for NatsError {
    fn from(error: DirectGetError) -> Self {
        match error.kind() {
            DirectGetErrorKind::TimedOut => Self::Timeout,
            DirectGetErrorKind::ErrorResponse(StatusCode::NO_RESPONDERS, _) => Self::Unavailable,
            _ => Self::other(&error),
        }
    }
}

impl From<RawMessageError> for NatsError {
    fn from(error: RawMessageError) -> Self {
        match error.kind() {
            RawMessageErrorKind::JetStream(error) => Self::from(&error),
            // The client has no error kind for this.
            _ if error.to_string().contains("timed out") => Self::Timeout,
            _ => Self::other(&error),
        }
    }
}

impl From<ConsumerError> for NatsError {
    fn from(error: ConsumerError) -> Self {
        match error.kind() {
            ConsumerErrorKind::TimedOut => Self::Timeout,
            ConsumerErrorKind::JetStream(error) => Self::from(&error),
            _ => Self::other(&error),
        }
    }
}

impl From<DeleteMessageError> for NatsError {
    fn from(error: DeleteMessageError) -> Self {
        match error.kind() {
            DeleteMessageErrorKind::TimedOut => Self::Timeout,
            DeleteMessageErrorKind::JetStream(error) => Self::from(&error),
            DeleteMessageErrorKind::Request => Self::other(&error),
        }
    }
}

impl From<GetStreamError> for NatsError {
    fn from(error: GetStreamError) -> Self {
        let source = error.source().and_then(|source| source.downcast_ref::<RequestError>());
        match error.kind() {
            GetStreamErrorKind::JetStream(error) => Self::from(&error),
            _ if source.is_some_and(|error| error.kind() == RequestErrorKind::TimedOut) => Self::Timeout,
            _ => Self::other(&error),
        }
    }
}

impl From<RequestError> for NatsError {
    fn from(error: RequestError) -> Self {
        match error.kind() {
            RequestErrorKind::TimedOut => Self::Timeout,
            _ => Self::other(&error),
        }
    }
}

/// Classifies the server's error codes.
impl From<&async_nats::jetstream::Error> for NatsError {
    fn from(error: &async_nats::jetstream::Error) -> Self {
        match error.error_code() {
            ErrorCode::STREAM_WRONG_LAST_SEQUENCE | ErrorCode::STREAM_WRONG_LAST_SEQUENCE_CONSTANT => Self::Conflict,
            ErrorCode::MESSAGE_TTL_DISABLED | ErrorCode::MESSAGE_TTL_INVALID => Self::NoLifetimes,
            ErrorCode::STREAM_MESSAGE_EXCEEDS_MAXIMUM | ErrorCode::STREAM_HEADER_EXCEEDS_MAXIMUM => Self::AboveStream,
            ErrorCode::ACCOUNT_RESOURCES_EXCEEDED
            | ErrorCode::INSUFFICIENT_RESOURCES
            | ErrorCode::STORAGE_RESOURCES_EXCEEDED
            | ErrorCode::MEMORY_RESOURCES_EXCEEDED
            | ErrorCode::STREAM_STORE_FAILED
            | ErrorCode::STREAM_TOO_MANY_REQUESTS => Self::Full,
            ErrorCode::STREAM_SEALED => Self::Sealed,
            ErrorCode::STREAM_NOT_FOUND => Self::Gone,
            _ if error.code() == 503 => Self::Unavailable,
            _ => Self::other(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(code: u64, error_code: ErrorCode) -> async_nats::jetstream::Error {
        let json = serde_json::json!({ "code": code, "err_code": error_code.0, "description": "no" });
        serde_json::from_value(json).unwrap()
    }

    #[test]
    fn a_write_that_was_sent_may_have_been_done() {
        let publish = |kind| NatsError::from(PublishError::new(kind));
        assert_eq!(publish(PublishErrorKind::BrokenPipe), NatsError::ConnectionLost);
        assert_eq!(publish(PublishErrorKind::TimedOut), NatsError::Timeout);
        assert_eq!(NatsError::from(ConnectionLost::AwaitingReply), NatsError::ConnectionLost);
        assert_eq!(NatsError::from(ConnectionLost::NotSent), NatsError::Unavailable);
        assert_eq!(publish(PublishErrorKind::StreamNotFound), NatsError::Unavailable);
    }

    #[test]
    fn an_answer_is_found_in_any_error() {
        let sealed = answer(400, ErrorCode::STREAM_SEALED);
        let other = PublishErrorKind::Other;
        assert_eq!(NatsError::from(PublishError::with_source(other, sealed.clone())), NatsError::Sealed);
        assert_eq!(NatsError::from(PublishError::new(other)), NatsError::Other);
        let consumer = ConsumerError::new(ConsumerErrorKind::JetStream(sealed.clone()));
        assert_eq!(NatsError::from(consumer), NatsError::Sealed);
        assert_eq!(NatsError::from(RawMessageError::new(RawMessageErrorKind::JetStream(sealed))), NatsError::Sealed);
    }

    #[test]
    fn answers_without_a_meaning_of_their_own_go_by_their_status() {
        let unknown = ErrorCode(9);
        assert_eq!(NatsError::from(&answer(503, unknown)), NatsError::Unavailable);
        assert_eq!(NatsError::from(&answer(500, unknown)), NatsError::Other);
        assert_eq!(NatsError::from(&answer(503, ErrorCode::INSUFFICIENT_RESOURCES)), NatsError::Full);
    }
}
