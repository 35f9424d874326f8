//! What the client's errors mean to a component. Their words stay with the host: a component is told the kind and a
//! sentence.

use std::error::Error as _;

use async_nats::StatusCode;
use async_nats::jetstream::ErrorCode;
use async_nats::jetstream::context::{PublishError, PublishErrorKind};
use async_nats::jetstream::stream::{
    ConsumerError, ConsumerErrorKind, DirectGetError, DirectGetErrorKind, RawMessageError, RawMessageErrorKind,
};
use tempo_wasi_keyvalue::{Error, ErrorKind};

use crate::connection::Lost;

pub(super) fn condition() -> Error {
    Error::new(ErrorKind::PreconditionFailed, "the entry is not what the operation asked for")
}

pub(super) fn too_large(size: usize, maximum: usize) -> Error {
    let problem = format!("a value of {size} bytes is above what the server takes: {maximum}, its headers included");
    Error::new(ErrorKind::InvalidArgument, problem)
}

pub(super) fn no_lifetimes() -> Error {
    let problem = "this store cannot end an entry's life: it needs nats-server 2.11, and a bucket with limit markers";
    Error::new(ErrorKind::InvalidArgument, problem)
}

pub(super) fn timeout() -> Error {
    Error::new(ErrorKind::Timeout, "the store did not answer in time")
}

pub(super) fn unavailable() -> Error {
    Error::new(ErrorKind::Unavailable, "the store cannot be reached just now")
}

pub(super) fn lost(lost: Lost) -> Error {
    match lost {
        Lost::Before => unavailable(),
        Lost::Meanwhile => Error::new(ErrorKind::Timeout, "the connection to the store was lost before it answered"),
    }
}

pub(super) fn other(error: &dyn std::error::Error) -> Error {
    tracing::debug!(%error, "keyvalue on NATS");
    Error::new(ErrorKind::Other, "the store reports a failure")
}

pub(super) fn publish(error: &PublishError) -> Error {
    match error.kind() {
        PublishErrorKind::WrongLastSequence => condition(),
        PublishErrorKind::TimedOut => timeout(),
        PublishErrorKind::StreamNotFound | PublishErrorKind::BrokenPipe => unavailable(),
        PublishErrorKind::MaxAckPending => {
            Error::new(ErrorKind::QuotaExceeded, "too many writes wait for their answer")
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
        condition()
    } else if is(&[ErrorCode::MESSAGE_TTL_DISABLED, ErrorCode::MESSAGE_TTL_INVALID]) {
        no_lifetimes()
    } else if is(&[ErrorCode::STREAM_MESSAGE_EXCEEDS_MAXIMUM, ErrorCode::STREAM_HEADER_EXCEEDS_MAXIMUM]) {
        Error::new(ErrorKind::InvalidArgument, "the value is above the bucket's maximum")
    } else if is(&[
        ErrorCode::ACCOUNT_RESOURCES_EXCEEDED,
        ErrorCode::INSUFFICIENT_RESOURCES,
        ErrorCode::STORAGE_RESOURCES_EXCEEDED,
        ErrorCode::MEMORY_RESOURCES_EXCEEDED,
        ErrorCode::STREAM_STORE_FAILED,
        ErrorCode::STREAM_TOO_MANY_REQUESTS,
    ]) {
        Error::new(ErrorKind::QuotaExceeded, "the store is full or busy")
    } else if is(&[ErrorCode::STREAM_SEALED]) {
        Error::new(ErrorKind::AccessDenied, "the store cannot be written")
    } else if is(&[ErrorCode::STREAM_NOT_FOUND]) {
        Error::new(ErrorKind::NoSuchStore, "the store was deleted")
    } else if error.code() == 503 {
        unavailable()
    } else {
        other(error)
    }
}
