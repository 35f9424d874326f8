//! What the client's errors mean to a component. Their words stay with the host: a component is told the kind and a
//! sentence.

use std::error::Error as _;

use async_nats::StatusCode;
use async_nats::jetstream::ErrorCode;
use async_nats::jetstream::context::{PublishError, PublishErrorKind};
use async_nats::jetstream::stream::{
    ConsumerError, ConsumerErrorKind, DirectGetError, DirectGetErrorKind, RawMessageError, RawMessageErrorKind,
};
use tempo_wasi_blobstore::{Error, ErrorKind};

use crate::connection::Lost;

pub(super) fn timeout() -> Error {
    Error::new(ErrorKind::Timeout, "the container did not answer in time")
}

pub(super) fn unavailable() -> Error {
    Error::new(ErrorKind::Unavailable, "the container cannot be reached just now")
}

pub(super) fn lost(lost: Lost) -> Error {
    match lost {
        Lost::Before => unavailable(),
        Lost::Meanwhile => {
            Error::new(ErrorKind::Timeout, "the connection to the container was lost before it answered")
        }
    }
}

pub(super) fn busy() -> Error {
    Error::new(ErrorKind::QuotaExceeded, "too many write the object at once")
}

/// A reader finds other bytes than those of its object, or fewer.
pub(super) fn changed() -> Error {
    Error::new(ErrorKind::Other, "the object was replaced or deleted while it was read, or it is damaged")
}

/// An upload of which some bytes are missing.
pub(super) fn incomplete() -> Error {
    Error::new(ErrorKind::Other, "the upload has failed before")
}

pub(super) fn other(error: &(impl std::error::Error + ?Sized)) -> Error {
    tracing::debug!(%error, "blobstore on NATS");
    Error::new(ErrorKind::Other, "the container reports a failure")
}

/// `AlreadyExists` is the server's word that the last message of the subject is not the one that was expected.
pub(super) fn publish(error: &PublishError) -> Error {
    match error.kind() {
        PublishErrorKind::WrongLastSequence => Error::already_exists(),
        PublishErrorKind::TimedOut | PublishErrorKind::BrokenPipe => timeout(),
        PublishErrorKind::StreamNotFound => unavailable(),
        PublishErrorKind::MaxAckPending => {
            Error::new(ErrorKind::QuotaExceeded, "too many writes wait for their answer")
        }
        PublishErrorKind::MaxPayloadExceeded => {
            Error::new(ErrorKind::InvalidArgument, "the name and the metadata are more than the server takes")
        }
        _ => {
            let answer = error.source().and_then(|source| source.downcast_ref::<async_nats::jetstream::Error>());
            answer.map_or_else(|| other(error), jetstream)
        }
    }
}

pub(super) fn direct_get(error: &DirectGetError) -> Error {
    match error.kind() {
        DirectGetErrorKind::TimedOut => timeout(),
        DirectGetErrorKind::ErrorResponse(StatusCode::NO_RESPONDERS, _) => unavailable(),
        _ => other(error),
    }
}

pub(super) fn raw_get(error: &RawMessageError) -> Error {
    match error.kind() {
        RawMessageErrorKind::JetStream(error) => jetstream(&error),
        _ if error.to_string().contains("timed out") => timeout(),
        _ => other(error),
    }
}

pub(super) fn consumer(error: &ConsumerError) -> Error {
    match error.kind() {
        ConsumerErrorKind::TimedOut => timeout(),
        ConsumerErrorKind::JetStream(error) => jetstream(&error),
        _ => other(error),
    }
}

/// What an answer of the server means.
pub(super) fn jetstream(error: &async_nats::jetstream::Error) -> Error {
    let code = error.error_code();
    let is = |codes: &[ErrorCode]| codes.contains(&code);
    if is(&[ErrorCode::STREAM_WRONG_LAST_SEQUENCE, ErrorCode::STREAM_WRONG_LAST_SEQUENCE_CONSTANT]) {
        Error::already_exists()
    } else if is(&[ErrorCode::STREAM_MESSAGE_EXCEEDS_MAXIMUM, ErrorCode::STREAM_HEADER_EXCEEDS_MAXIMUM]) {
        Error::new(ErrorKind::InvalidArgument, "a part of the object is above the bucket's maximum")
    } else if is(&[
        ErrorCode::ACCOUNT_RESOURCES_EXCEEDED,
        ErrorCode::INSUFFICIENT_RESOURCES,
        ErrorCode::STORAGE_RESOURCES_EXCEEDED,
        ErrorCode::MEMORY_RESOURCES_EXCEEDED,
        ErrorCode::STREAM_STORE_FAILED,
        ErrorCode::STREAM_TOO_MANY_REQUESTS,
    ]) {
        Error::new(ErrorKind::QuotaExceeded, "the container is full or busy")
    } else if is(&[ErrorCode::STREAM_SEALED]) {
        Error::new(ErrorKind::AccessDenied, "the container cannot be written")
    } else if is(&[ErrorCode::STREAM_NOT_FOUND]) {
        Error::new(ErrorKind::NoSuchContainer, "the container was deleted")
    } else if error.code() == 503 {
        unavailable()
    } else {
        other(error)
    }
}
