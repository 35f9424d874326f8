//! Blobstore containers in buckets of JetStream's object store.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use futures::TryStreamExt as _;
use tempo_backend::{BackendContext, BackendScheme};
use tempo_blobstore::{ByteRange, Container, Data, Entry, Error, ErrorKind, ObjectInfo, PutOptions, Result, Upload};
use tempo_settings::{BackendUrl, Flag, Settings};

use crate::address::Address;
use crate::connection::Connection;
use crate::options::{self, Options};

mod bucket;
mod cleaner;
mod digest;
mod error;
mod meta;
mod read;
mod source;
mod upload;
mod walk;

use bucket::Bucket;
use upload::NatsUpload;

/// Containers in buckets of JetStream's object store: `nats://HOST[:PORT]/BUCKET`, or `tls://`, which requires TLS. The
/// format is that of every NATS client.
///
/// A missing bucket is created with file storage and one replica. An existing bucket is used with its configuration.
///
/// - An object is a sequence of chunks of 128 KiB, or of the server's `max_payload` if that is smaller, followed by its
///   metadata message. `if_absent` is a condition that the server evaluates.
/// - The media type is the object's header `Content-Type`, its metadata is the object's metadata, and the etag is its
///   NUID.
/// - A read of a whole object verifies the digest. It fails if the object is replaced or deleted meanwhile.
/// - The backend removes the chunks of aborted uploads and of replaced or deleted objects at once. Chunks may remain if
///   the server or the process crashes first, or if the ack of an upload's last message is lost.
/// - Links to other objects are not followed: a read does not find such a name, and `if_absent` treats it as taken.
/// - A deletion leaves its marker. After a crash a server may restore messages that were removed, and the marker keeps the
///   object deleted.
/// - The first page of a listing reads the metadata messages of all objects, and keeps up to 16 MiB of entries for the next
///   pages.
pub struct NatsBlobstore {
    bucket: Arc<Bucket>,
}

impl fmt::Debug for NatsBlobstore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NatsBlobstore").finish_non_exhaustive()
    }
}

#[async_trait]
impl BackendScheme<dyn Container> for NatsBlobstore {
    const NAMES: &'static [&'static str] = &["nats", "tls"];

    fn flags() -> Vec<Flag> {
        options::flags()
    }

    fn check(url: &BackendUrl, settings: &Settings) -> tempo_settings::Result<()> {
        Options::read(settings, &Address::parse(url)?).map(drop)
    }

    async fn open(url: &BackendUrl, context: BackendContext<'_>) -> tempo_settings::Result<Arc<dyn Container>> {
        let address = Address::parse(url)?;
        let connection = Connection::open(&address, context).await?;
        let bucket = Arc::new(Bucket::open(connection, &address).await?);
        Ok(Arc::new(Self { bucket }))
    }
}

impl NatsBlobstore {
    /// Opens the bucket `bucket` over a connection of the caller's, and creates it if there is none.
    ///
    /// # Errors
    ///
    /// The name is malformed; or the server has no JetStream, forbids the bucket, or does not answer.
    pub async fn new(client: async_nats::Client, bucket: &str) -> tempo_settings::Result<Self> {
        let address = Address::of_client(&client, bucket)?;
        let bucket = Bucket::open(Connection::of_client(client), &address).await?;
        Ok(Self { bucket: Arc::new(bucket) })
    }
}

#[async_trait]
impl Container for NatsBlobstore {
    fn read_buffer(&self) -> usize {
        read::READ_AHEAD_BYTES
    }

    async fn stat(&self, name: &str) -> Result<Option<ObjectInfo>> {
        Ok(self.bucket.last(name).await?.and_then(|last| last.info(name)))
    }

    async fn get(&self, name: &str, range: Option<ByteRange>) -> Result<(ObjectInfo, Data)> {
        let last = self.bucket.last(name).await?.ok_or_else(Error::no_such_object)?;
        let info = last.info(name).ok_or_else(Error::no_such_object)?;
        let meta = last.object().ok_or_else(Error::no_such_object)?;
        let nuid = last.nuid().ok_or_else(|| Error::new(ErrorKind::Other, "the object's description is damaged"))?;
        let data = read::read(Arc::clone(&self.bucket), &nuid, meta, range);
        Ok((info, data))
    }

    async fn put(&self, name: &str, options: PutOptions) -> Result<Box<dyn Upload>> {
        if options.if_absent && self.bucket.last(name).await?.is_some_and(|last| !last.is_free()) {
            return Err(Error::already_exists());
        }
        Ok(Box::new(NatsUpload::new(Arc::clone(&self.bucket), name.to_owned(), options)))
    }

    async fn delete(&self, name: &str) -> Result<()> {
        let judge = |last: Option<&meta::Last>| last.map_or(Ok(None), meta::Last::deleted);
        let deleted = self.bucket.replace(name, judge).await?;
        // Chunks may remain from an earlier deletion: remove them too.
        if let Some(nuid) = deleted.and_then(|last| last.nuid()) {
            self.bucket.cleaner.remove(nuid).await;
        }
        Ok(())
    }

    async fn list(&self, prefix: &str, after: Option<&str>, limit: usize) -> Result<Vec<Entry>> {
        walk::list(&self.bucket, (prefix, after), limit).await
    }

    async fn copy(&self, from: &str, to: &str) -> Result<ObjectInfo> {
        let (info, mut data) = self.get(from, None).await?;
        let options = PutOptions::default().with_content_type(info.content_type).with_metadata(info.metadata);
        let mut upload = self.put(to, options).await?;
        while let Some(bytes) = data.try_next().await? {
            upload.write(bytes).await?;
        }
        upload.complete().await
    }
}
