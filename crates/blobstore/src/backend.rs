//! The traits that a blobstore backend implements.

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;

use crate::Result;

/// Preferred size of a chunk of data, in bytes.
pub const CHUNK: usize = 64 << 10;

/// Maximum length of an object's name, in bytes.
pub const MAX_NAME: usize = 1024;

/// An entry of a listing.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Entry {
    /// The object's name.
    pub name: String,
    /// Its size in bytes.
    pub size: u64,
    /// The time of the write, in seconds since the Unix epoch.
    pub created: u64,
    /// The entity tag. It changes when the object is replaced; only equality has a meaning.
    pub etag: String,
}

impl Entry {
    /// Creates an entry.
    pub fn new(name: impl Into<String>, size: u64, created: u64, etag: impl Into<String>) -> Self {
        Self { name: name.into(), size, created, etag: etag.into() }
    }
}

/// The properties of an object.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ObjectInfo {
    /// The object's name.
    pub name: String,
    /// The size in bytes of the whole object, also if only a range is read.
    pub size: u64,
    /// The time of the write, in seconds since the Unix epoch.
    pub created: u64,
    /// The entity tag. It changes when the object is replaced; only equality has a meaning.
    pub etag: String,
    /// The media type, if the writer set one.
    pub content_type: Option<String>,
    /// The metadata that the writer set, sorted by key.
    pub metadata: Vec<(String, String)>,
}

impl ObjectInfo {
    /// Creates the properties of an object without media type and metadata.
    pub fn new(name: impl Into<String>, size: u64, created: u64, etag: impl Into<String>) -> Self {
        let (name, etag) = (name.into(), etag.into());
        Self { name, size, created, etag, content_type: None, metadata: Vec::new() }
    }

    /// Sets the media type.
    #[must_use]
    pub fn with_content_type(self, content_type: impl Into<Option<String>>) -> Self {
        Self { content_type: content_type.into(), ..self }
    }

    /// Sets the metadata, sorted by key.
    #[must_use]
    pub fn with_metadata(self, metadata: Vec<(String, String)>) -> Self {
        Self { metadata, ..self }
    }
}

/// A range of an object's bytes. The part beyond the object's end is ignored, so a range may be empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ByteRange {
    /// The offset of the first byte.
    pub offset: u64,
    /// The length in bytes; `None` extends to the end.
    pub length: Option<u64>,
}

impl ByteRange {
    /// Returns the bytes `start..end` of an object of `size` bytes that `range` selects; `None` selects the whole
    /// object.
    pub fn within(range: Option<Self>, size: u64) -> (u64, u64) {
        let Some(Self { offset, length }) = range else { return (0, size) };
        let start = offset.min(size);
        let end = length.map_or(size, |length| offset.saturating_add(length).min(size));
        (start, end.max(start))
    }
}

/// The options of a write.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct PutOptions {
    /// Write only if no object has the name. Evaluated when the upload completes.
    pub if_absent: bool,
    /// The media type.
    pub content_type: Option<String>,
    /// The metadata, sorted by key without duplicates. Keys match `[a-z][a-z0-9_]*`; values are printable ASCII without
    /// leading or trailing spaces.
    pub metadata: Vec<(String, String)>,
}

impl PutOptions {
    /// Sets whether to write only if no object has the name.
    #[must_use]
    pub fn with_if_absent(self, if_absent: bool) -> Self {
        Self { if_absent, ..self }
    }

    /// Sets the media type.
    #[must_use]
    pub fn with_content_type(self, content_type: impl Into<Option<String>>) -> Self {
        Self { content_type: content_type.into(), ..self }
    }

    /// Sets the metadata.
    #[must_use]
    pub fn with_metadata(self, metadata: Vec<(String, String)>) -> Self {
        Self { metadata, ..self }
    }
}

/// A stream of an object's bytes. An error is an item; a stream that ends without an error is complete.
pub type Data = BoxStream<'static, Result<Bytes>>;

/// A container of objects by name. Objects outlive the component, unless the backend is in memory.
///
/// The host validates names (1 to 1,024 bytes of UTF-8, any characters), options and the size of uploads before each
/// call. Operations return `Ok` only after the backend has acknowledged them. Conditions must be evaluated atomically
/// by the storage, not by a read followed by a write.
#[async_trait]
pub trait Container: Send + Sync + 'static {
    /// Returns the maximum bytes that a read buffers before the guest takes them.
    fn read_buffer(&self) -> usize {
        2 * CHUNK
    }

    /// Returns the maximum bytes that an upload buffers before the backend stores them.
    fn upload_buffer(&self) -> usize {
        2 * CHUNK
    }

    /// Returns the properties of an object, or `None` if no object has the name.
    async fn stat(&self, name: &str) -> Result<Option<ObjectInfo>>;

    /// Reads an object or a range of it, and returns its properties and its data in chunks of moderate size. The
    /// backend reads as the stream is polled. All bytes belong to one object, also if it is replaced meanwhile.
    ///
    /// # Errors
    ///
    /// `NoSuchObject` if no object has the name.
    async fn get(&self, name: &str, range: Option<ByteRange>) -> Result<(ObjectInfo, Data)>;

    /// Starts an upload. The object becomes visible with [`Upload::complete`].
    ///
    /// # Errors
    ///
    /// `AlreadyExists` if `if_absent` is set and the backend already detects an object of the name.
    async fn put(&self, name: &str, options: PutOptions) -> Result<Box<dyn Upload>>;

    /// Deletes an object. Succeeds if no object has the name.
    async fn delete(&self, name: &str) -> Result<()>;

    /// Lists the first `limit` objects whose names have the prefix `prefix` and are greater than `after`, sorted by the
    /// bytes of their names. Fewer than `limit` entries mean the end of the listing.
    async fn list(&self, prefix: &str, after: Option<&str>, limit: usize) -> Result<Vec<Entry>>;

    /// Copies an object with its media type and metadata, and replaces an existing object. Dropping the future cancels
    /// the copy and leaves no partial object; a copy that the server performs may still complete.
    ///
    /// # Errors
    ///
    /// `NoSuchObject` if no object is named `from`.
    async fn copy(&self, from: &str, to: &str) -> Result<ObjectInfo>;
}

/// An upload in progress. Dropping it before completion discards its data and keeps the previous object.
#[async_trait]
pub trait Upload: Send {
    /// Writes the next bytes, and returns when the backend is ready for more. After an error the upload can only be
    /// dropped.
    async fn write(&mut self, data: Bytes) -> Result<()>;

    /// Completes the upload: the object becomes visible atomically and is durable, and replaces an existing object.
    ///
    /// # Errors
    ///
    /// `AlreadyExists` if `if_absent` is set and an object has the name.
    async fn complete(self: Box<Self>) -> Result<ObjectInfo>;
}
