//! Containers of objects in buckets of JetStream's object store.

use std::sync::Arc;

use async_trait::async_trait;
use futures::TryStreamExt as _;
use tempo_backend::{BackendContext, BackendScheme};
use tempo_blobstore::{ByteRange, Container, Data, Entry, Error, ErrorKind, ObjectInfo, PutOptions, Result, Upload};
use tempo_settings::{BackendUrl, Flag};

use crate::address::Address;
use crate::connection::Connection;
use crate::options;

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

/// A container in a bucket of JetStream's object store, named by `nats://HOST[:PORT]/BUCKET` (or `tls://`, to insist on
/// encryption). Other clients read what it writes, and the other way round.
///
/// The bucket is created if it does not exist: a file on one server. One that exists is used as it is.
///
/// - An object is chunks of 128 KiB, or what the server takes if that is less, and a description that is written last.
///   The server judges whether a name is free.
/// - The media type is the object's header `Content-Type`, the metadata is its metadata, and the etag is its NUID.
/// - A read of a whole object is checked against its digest. One whose object is replaced or deleted meanwhile fails.
/// - The chunks of an upload that was given up, and of what was replaced or deleted, are removed at once. If the server
///   or the process ends before that, or the answer to the last message of an upload is lost, they may stay.
/// - Links to other objects are not followed: there is no object of such a name, and it is not free either.
/// - A listing walks over the descriptions of all objects, and of deleted ones, which leave a marker.
pub struct NatsBlobstore {
    bucket: Arc<Bucket>,
}

impl BackendScheme<dyn Container> for NatsBlobstore {
    const NAMES: &'static [&'static str] = &["nats", "tls"];

    fn flags() -> Vec<Flag> {
        options::flags()
    }

    async fn open(url: &BackendUrl, context: BackendContext<'_>) -> anyhow::Result<Arc<dyn Container>> {
        let address = Address::parse(url)?;
        let connection = Connection::open(&address, context).await?;
        let bucket = Arc::new(Bucket::open(connection, &address).await?);
        Ok(Arc::new(Self { bucket }))
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
        // Also if it was deleted before: what was left then is removed now.
        if let Some(nuid) = deleted.and_then(|last| last.nuid()) {
            self.bucket.cleaner.remove(nuid).await;
        }
        Ok(())
    }

    async fn list(&self, prefix: &str, after: Option<&str>, limit: usize) -> Result<Vec<Entry>> {
        walk::list(&self.bucket, prefix, after, limit).await
    }

    async fn copy(&self, from: &str, to: &str) -> Result<ObjectInfo> {
        let (info, mut data) = self.get(from, None).await?;
        let options = PutOptions { if_absent: false, content_type: info.content_type, metadata: info.metadata };
        let mut upload = self.put(to, options).await?;
        while let Some(bytes) = data.try_next().await? {
            upload.write(bytes).await?;
        }
        upload.complete().await
    }
}
