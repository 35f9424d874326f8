//! The traits that a blobstore backend implements.

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;

use crate::Result;

/// The size in which data moves, in bytes.
pub const CHUNK: usize = 64 << 10;

/// The longest name of an object, in bytes.
pub const MAX_NAME: usize = 1024;

/// An object as a listing shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The object's name.
    pub name: String,
    /// Its size in bytes.
    pub size: u64,
    /// When it was written, in seconds since the Unix epoch.
    pub created: u64,
    /// Changes whenever the object is replaced by another. Only equality has a meaning.
    pub etag: String,
}

/// All that is known about an object without reading it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectInfo {
    /// The object's name.
    pub name: String,
    /// Its size in bytes: of the whole object, also where only a range of it is read.
    pub size: u64,
    /// When it was written, in seconds since the Unix epoch.
    pub created: u64,
    /// Changes whenever the object is replaced by another. Only equality has a meaning.
    pub etag: String,
    /// The media type that its writer gave it.
    pub content_type: Option<String>,
    /// What else its writer noted, in the order of the keys.
    pub metadata: Vec<(String, String)>,
}

/// A part of an object. What lies beyond the object's end is left out, so a range may turn out empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ByteRange {
    /// The first byte, counted from 0.
    pub offset: u64,
    /// How many bytes, or all up to the end.
    pub length: Option<u64>,
}

impl ByteRange {
    /// The bytes `start..end` of an object of `size` bytes that `range` stands for; `None` is the whole object.
    pub fn within(range: Option<Self>, size: u64) -> (u64, u64) {
        let Some(Self { offset, length }) = range else { return (0, size) };
        let start = offset.min(size);
        let end = length.map_or(size, |length| offset.saturating_add(length).min(size));
        (start, end.max(start))
    }
}

/// How an object is written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PutOptions {
    /// Write only if there is no object of that name, judged when the upload completes.
    pub if_absent: bool,
    /// The media type.
    pub content_type: Option<String>,
    /// What else to note, in the order of the keys, each once: keys of `[a-z][a-z0-9_]*`, values of printable ASCII
    /// without spaces at their ends.
    pub metadata: Vec<(String, String)>,
}

/// The bytes of an object as they come. A failure in the middle is an item; a stream that ends without one is whole.
pub type Data = BoxStream<'static, Result<Bytes>>;

/// One container: objects by name, which outlive the component, unless the backend is one that forgets.
///
/// The host has checked names (1-1,024 bytes of UTF-8, in which every character is data), options and the size of
/// uploads before it calls. A success is reported only once the backend has acknowledged it, and a backend never reads
/// and then writes: conditions are judged where the data is.
#[async_trait]
pub trait Container: Send + Sync + 'static {
    /// What a read holds in memory until the guest has taken it, at most, in bytes.
    fn read_buffer(&self) -> usize {
        2 * CHUNK
    }

    /// What an upload holds in memory before the backend has it, at most, in bytes.
    fn upload_buffer(&self) -> usize {
        2 * CHUNK
    }

    /// What is known about an object, or `None` if there is none of that name.
    async fn stat(&self, name: &str) -> Result<Option<ObjectInfo>>;

    /// Reads an object, or a range of it: what is known about it, and its bytes in chunks of moderate size, read no
    /// faster than the stream is polled. The bytes are all of one object, whatever is written meanwhile.
    ///
    /// # Errors
    ///
    /// `NoSuchObject` if there is none of that name.
    async fn get(&self, name: &str, range: Option<ByteRange>) -> Result<(ObjectInfo, Data)>;

    /// Begins to write an object. Nothing is to be seen of it before [`Upload::complete`].
    ///
    /// # Errors
    ///
    /// `AlreadyExists` if the options ask that there be none and it is clear already that there is.
    async fn put(&self, name: &str, options: PutOptions) -> Result<Box<dyn Upload>>;

    /// Deletes an object; it is no error if there is none of that name.
    async fn delete(&self, name: &str) -> Result<()>;

    /// The first `limit` objects whose names begin with `prefix` and come after `after`, in the order of the bytes of
    /// their names. Fewer than `limit` means that there are no more.
    async fn list(&self, prefix: &str, after: Option<&str>, limit: usize) -> Result<Vec<Entry>>;

    /// Copies an object with its media type and metadata, replacing any object of the new name. Dropped, a copy ends and
    /// leaves nothing behind; one that the server makes may still be made.
    ///
    /// # Errors
    ///
    /// `NoSuchObject` if there is none to copy.
    async fn copy(&self, from: &str, to: &str) -> Result<ObjectInfo>;
}

/// An object that is being written. Dropped before it is complete, it leaves nothing behind, and what was there before
/// stays.
#[async_trait]
pub trait Upload: Send {
    /// Takes the next bytes, and returns when the backend is ready for more. After an error only dropping makes sense.
    async fn write(&mut self, data: Bytes) -> Result<()>;

    /// Makes the object visible as a whole and durable, replacing any of that name.
    ///
    /// # Errors
    ///
    /// `AlreadyExists` if the options ask that there be none.
    async fn complete(self: Box<Self>) -> Result<ObjectInfo>;
}
