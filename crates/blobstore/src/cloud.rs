//! Containers in any store of the crate `object_store`: Amazon S3 and compatible servers, Google Cloud Storage, Azure.

#[cfg_attr(not(feature = "aws"), allow(dead_code, reason = "only S3 completes uploads on a condition"))]
mod create;
mod http;
mod keys;
mod listing;
mod schemes;
#[cfg(test)]
mod tests;
mod upload;

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use futures::{StreamExt as _, TryStreamExt as _};
use object_store::path::Path;
use object_store::{
    Attribute, Attributes, CopyMode, CopyOptions, GetOptions, GetRange, ObjectMeta, ObjectStore as Store,
    ObjectStoreExt as _,
};

use self::create::Creator;
use self::keys::Keys;
use self::upload::CloudUpload;
use crate::{ByteRange, Container, Data, Entry, Error, ErrorKind, ObjectInfo, PutOptions, Result, Upload};

#[cfg(feature = "azure")]
pub use schemes::Azure;
#[cfg(feature = "gcp")]
pub use schemes::GoogleCloud;
#[cfg(feature = "aws")]
pub use schemes::S3;
#[cfg(feature = "fuzzing")]
pub(crate) use schemes::bucket;

/// The media type that servers report for objects without one.
const NO_TYPE: &str = "binary/octet-stream";

/// A container in a store of the crate `object_store`.
///
/// Plain names are used as keys. Names with control characters, spaces, `!`, `~`, empty segments or segments with a
/// leading dot are escaped in a way that preserves their order.
#[derive(Clone)]
pub struct ObjectStore {
    store: Arc<dyn Store>,
    keys: Keys,
    traits: Traits,
}

/// The differences between stores.
#[derive(Clone, Default)]
struct Traits {
    /// True if listings are sorted by key.
    ordered: bool,
    /// Creates a large object on the condition that none exists. Without it, an upload is copied to its final key.
    creator: Option<Creator>,
}

impl ObjectStore {
    /// Creates a container of the objects of `store` below `prefix`, or of all objects if the prefix is empty.
    ///
    /// # Errors
    ///
    /// `InvalidArgument` if `prefix` is not a valid path.
    pub fn new(store: Arc<dyn Store>, prefix: &str) -> Result<Self> {
        Ok(Self { store, keys: Keys::new(prefix)?, traits: Traits::default() })
    }

    async fn head(&self, name: &str, key: &Path) -> Result<Option<ObjectInfo>> {
        let options = GetOptions { head: true, ..GetOptions::default() };
        match self.store.get_opts(key, options).await {
            Ok(found) => Ok(Some(info(name, &found.meta, &found.attributes))),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(failed("read", &error)),
        }
    }

    async fn require(&self, name: &str, key: &Path) -> Result<ObjectInfo> {
        self.head(name, key).await?.ok_or_else(Error::no_such_object)
    }
}

impl fmt::Debug for ObjectStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ObjectStore").field("ordered", &self.traits.ordered).finish_non_exhaustive()
    }
}

#[async_trait]
impl Container for ObjectStore {
    fn upload_buffer(&self) -> usize {
        upload::BUFFER
    }

    async fn stat(&self, name: &str) -> Result<Option<ObjectInfo>> {
        self.head(name, &self.keys.encode(name)?).await
    }

    async fn get(&self, name: &str, range: Option<ByteRange>) -> Result<(ObjectInfo, Data)> {
        let key = self.keys.encode(name)?;
        let nothing = || futures::stream::empty().boxed();
        if range.is_some_and(|range| range.length == Some(0)) {
            return Ok((self.require(name, &key).await?, nothing()));
        }
        let options = GetOptions { range: range.map(requested), ..GetOptions::default() };
        let found = match (self.store.get_opts(&key, options).await, range) {
            (Ok(found), _) => found,
            (Err(object_store::Error::NotFound { .. }), _) => return Err(Error::no_such_object()),
            (Err(error), None) => return Err(failed("read", &error)),
            // Servers refuse a range beyond the object's end.
            (Err(error), Some(range)) => match self.require(name, &key).await? {
                info if info.size <= range.offset => return Ok((info, nothing())),
                _ => return Err(failed("read", &error)),
            },
        };
        let info = info(name, &found.meta, &found.attributes);
        Ok((info, found.into_stream().map_err(|error| failed("read", &error)).boxed()))
    }

    async fn put(&self, name: &str, options: PutOptions) -> Result<Box<dyn Upload>> {
        let key = self.keys.encode(name)?;
        if options.if_absent && self.head(name, &key).await?.is_some() {
            return Err(Error::already_exists());
        }
        Ok(Box::new(CloudUpload::new(self.clone(), name.to_owned(), key, options)))
    }

    async fn delete(&self, name: &str) -> Result<()> {
        match self.store.delete(&self.keys.encode(name)?).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(failed("delete", &error)),
        }
    }

    async fn list(&self, prefix: &str, after: Option<&str>, limit: usize) -> Result<Vec<Entry>> {
        listing::list(self, prefix, after, limit).await
    }

    async fn copy(&self, from: &str, to: &str) -> Result<ObjectInfo> {
        let (source, target) = (self.keys.encode(from)?, self.keys.encode(to)?);
        // S3 refuses to copy an object onto itself.
        if from != to {
            let options = CopyOptions::new().with_mode(CopyMode::Overwrite);
            self.store.copy_opts(&source, &target, options).await.map_err(|error| failed("copy", &error))?;
        }
        self.require(to, &target).await
    }
}

/// Converts a range.
fn requested(ByteRange { offset, length }: ByteRange) -> GetRange {
    match length.and_then(|length| offset.checked_add(length)) {
        Some(end) => GetRange::Bounded(offset..end),
        None => GetRange::Offset(offset),
    }
}

fn created(meta: &ObjectMeta) -> u64 {
    u64::try_from(meta.last_modified.timestamp()).unwrap_or(0)
}

/// Returns the etag without quotes: some servers quote it in some responses only.
fn etag(meta: &ObjectMeta) -> String {
    meta.e_tag.as_deref().unwrap_or_default().trim_start_matches("W/").trim_matches('"').to_owned()
}

fn info(name: &str, meta: &ObjectMeta, attributes: &Attributes) -> ObjectInfo {
    let mut metadata = Vec::new();
    let mut content_type = None;
    for (attribute, value) in attributes {
        match attribute {
            Attribute::ContentType if value.as_ref() != NO_TYPE => content_type = Some(value.to_string()),
            Attribute::Metadata(key) => metadata.push((key.to_string(), value.to_string())),
            _ => {}
        }
    }
    metadata.sort();
    ObjectInfo {
        name: name.to_owned(),
        size: meta.size,
        created: created(meta),
        etag: etag(meta),
        content_type,
        metadata,
    }
}

/// Converts an error for the guest, and logs its cause: the cause may contain names of the server's infrastructure.
fn failed(operation: &str, error: &object_store::Error) -> Error {
    use object_store::Error as Cause;
    let (kind, problem) = match error {
        Cause::NotFound { .. } => return Error::no_such_object(),
        Cause::AlreadyExists { .. } => return Error::already_exists(),
        Cause::InvalidPath { .. } => (ErrorKind::InvalidArgument, "the store cannot hold such a name"),
        Cause::NotSupported { .. } | Cause::NotImplemented { .. } => (ErrorKind::Other, "the store cannot do that"),
        _ if is_denied(error) => (ErrorKind::AccessDenied, "the server refuses it"),
        _ => (ErrorKind::Unavailable, "the request failed"),
    };
    tracing::warn!(operation, kind = ?kind, cause = cause(error), "blobstore: a request to an object store failed");
    Error::new(kind, format!("cannot {operation} the object: {problem}"))
}

/// Returns true if the server denies access.
fn is_denied(error: &object_store::Error) -> bool {
    use object_store::Error as Cause;
    matches!(error, Cause::PermissionDenied { .. } | Cause::Unauthenticated { .. })
        || matches!(status(error), Some(401 | 403))
}

/// Returns the HTTP status of an error that contains it only as text, as those of listings do.
fn status(error: &object_store::Error) -> Option<u16> {
    let text = error.to_string();
    let (_, after) = text.split_once("non-2xx status code: ")?;
    after.get(..3)?.parse().ok()
}

/// Returns the part of an error that may be logged: URLs in its text may contain credentials.
fn cause(error: &object_store::Error) -> String {
    let text = error.to_string();
    let words = text.split_whitespace().map(|word| word.split_once('?').map_or(word, |(visible, _)| visible));
    words.take(60).collect::<Vec<_>>().join(" ")
}
