//! Converts types of the backends to those of the interface, and back.

use crate::bindings::tempo::tempo::blobstore::store as wit;
use crate::{ByteRange, Entry, Error, ErrorKind, ObjectInfo, PutOptions};

impl From<ErrorKind> for wit::ErrorKind {
    fn from(kind: ErrorKind) -> Self {
        match kind {
            ErrorKind::NoSuchContainer => Self::NoSuchContainer,
            ErrorKind::NoSuchObject => Self::NoSuchObject,
            ErrorKind::AlreadyExists => Self::AlreadyExists,
            ErrorKind::InvalidArgument => Self::InvalidArgument,
            ErrorKind::TooLarge => Self::TooLarge,
            ErrorKind::Timeout => Self::Timeout,
            ErrorKind::Unavailable => Self::Unavailable,
            ErrorKind::QuotaExceeded => Self::QuotaExceeded,
            ErrorKind::AccessDenied => Self::AccessDenied,
            _ => Self::Other,
        }
    }
}

impl From<Error> for wit::Error {
    fn from(error: Error) -> Self {
        Self { kind: error.kind().into(), message: error.to_string() }
    }
}

impl From<Entry> for wit::Entry {
    fn from(Entry { name, size, created, etag, .. }: Entry) -> Self {
        Self { name, size, created, etag }
    }
}

impl From<ObjectInfo> for wit::ObjectInfo {
    fn from(ObjectInfo { name, size, created, etag, content_type, metadata, .. }: ObjectInfo) -> Self {
        Self { name, size, created, etag, content_type, metadata }
    }
}

impl From<wit::ByteRange> for ByteRange {
    fn from(wit::ByteRange { offset, length }: wit::ByteRange) -> Self {
        Self { offset, length }
    }
}

impl From<wit::PutOptions> for PutOptions {
    fn from(wit::PutOptions { if_absent, content_type, metadata }: wit::PutOptions) -> Self {
        Self::default().with_if_absent(if_absent).with_content_type(content_type).with_metadata(metadata)
    }
}
