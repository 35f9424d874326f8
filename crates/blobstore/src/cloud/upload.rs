//! Uploads an object: a small one in one request, a larger one in parts that are sent concurrently with the writes.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use object_store::path::Path;
use object_store::{
    Attribute, Attributes, CopyMode, CopyOptions, MultipartUpload, ObjectStore as Store, ObjectStoreExt as _, PutMode,
    PutMultipartOptions, PutPayload,
};
use tokio::runtime::Handle;
use tokio::task::JoinSet;

use super::{NO_TYPE, ObjectStore, failed};
use crate::{Error, ErrorKind, ObjectInfo, PutOptions, Result, Upload, record};

/// Size of each part except the last, in bytes: the minimum of S3.
const PART_BYTES: usize = 5 << 20;

/// Maximum concurrent uploads of parts.
const MAX_PARTS_IN_FLIGHT: usize = 2;

/// Maximum bytes that an upload buffers: the parts in flight, and the one being filled.
pub(super) const BUFFER: usize = (MAX_PARTS_IN_FLIGHT + 1) * PART_BYTES;

pub(super) struct CloudUpload {
    container: ObjectStore,
    name: String,
    key: Path,
    options: PutOptions,
    pending: Vec<Bytes>,
    pending_bytes: usize,
    parts: Option<Parts>,
}

impl CloudUpload {
    pub(super) fn new(container: ObjectStore, name: String, key: Path, options: PutOptions) -> Self {
        Self { container, name, key, options, pending: Vec::new(), pending_bytes: 0, parts: None }
    }

    fn attributes(&self) -> Attributes {
        let content_type = self.options.content_type.clone().unwrap_or_else(|| NO_TYPE.to_owned());
        let metadata = self.options.metadata.iter().cloned();
        let metadata = metadata.map(|(key, value)| (Attribute::Metadata(key.into()), value));
        metadata.chain([(Attribute::ContentType, content_type)]).collect()
    }

    fn take(&mut self) -> PutPayload {
        self.pending_bytes = 0;
        std::mem::take(&mut self.pending).into_iter().collect()
    }

    async fn send_part(&mut self) -> Result<()> {
        let payload = self.take();
        if self.parts.is_none() {
            self.parts = Some(self.begin_parts().await?);
        }
        match &mut self.parts {
            Some(parts) => parts.send(payload).await,
            None => Ok(()),
        }
    }

    /// Starts a multipart upload. Most stores cannot make it conditional: with `if_absent` it writes to a temporary key
    /// first.
    async fn begin_parts(&mut self) -> Result<Parts> {
        let multipart = PutMultipartOptions::from(self.attributes());
        let store = self.container.store.clone();
        let (at, is_object, upload) = match (self.options.if_absent, &self.container.traits.creator) {
            (true, Some(creator)) => (self.key.clone(), true, creator.begin(&self.key, multipart).await),
            (true, None) => {
                let at = self.container.keys.upload(&record::random_name()?);
                let upload = store.put_multipart_opts(&at, multipart).await;
                (at, false, upload)
            }
            (false, _) => (self.key.clone(), true, store.put_multipart_opts(&self.key, multipart).await),
        };
        let upload = upload.map_err(|error| failed("write", &error))?;
        Ok(Parts { store, at, upload: Some(upload), sent: JoinSet::new(), is_object })
    }

    async fn put_at_once(&mut self) -> Result<()> {
        let payload = self.take();
        let mode = if self.options.if_absent { PutMode::Create } else { PutMode::Overwrite };
        let options = object_store::PutOptions { mode, attributes: self.attributes(), ..Default::default() };
        let put = self.container.store.put_opts(&self.key, payload, options).await;
        put.map(drop).map_err(|error| failed("write", &error))
    }
}

#[async_trait]
impl Upload for CloudUpload {
    async fn write(&mut self, mut data: Bytes) -> Result<()> {
        loop {
            let room = PART_BYTES.saturating_sub(self.pending_bytes);
            let piece = data.split_to(room.min(data.len()));
            self.pending_bytes = self.pending_bytes.saturating_add(piece.len());
            self.pending.push(piece);
            if data.is_empty() {
                return Ok(());
            }
            self.send_part().await?;
        }
    }

    async fn complete(mut self: Box<Self>) -> Result<ObjectInfo> {
        if self.parts.is_none() {
            self.put_at_once().await?;
        } else {
            self.send_part().await?;
        }
        if let Some(parts) = self.parts.take() {
            parts.complete(&self.key).await?;
        }
        self.container.require(&self.name, &self.key).await
    }
}

/// A multipart upload. Dropping it aborts it.
struct Parts {
    store: Arc<dyn Store>,
    at: Path,
    upload: Option<Box<dyn MultipartUpload>>,
    sent: JoinSet<object_store::Result<()>>,
    /// True if the upload writes to the object's final key.
    is_object: bool,
}

impl Parts {
    async fn send(&mut self, payload: PutPayload) -> Result<()> {
        while self.sent.len() >= MAX_PARTS_IN_FLIGHT {
            self.wait().await?;
        }
        if let Some(upload) = &mut self.upload {
            self.sent.spawn(upload.put_part(payload));
        }
        Ok(())
    }

    /// Waits for one part.
    async fn wait(&mut self) -> Result<()> {
        match self.sent.join_next().await {
            Some(Ok(Err(error))) => Err(failed("write", &error)),
            Some(Err(_)) => Err(Error::new(ErrorKind::Unavailable, "the host is shutting down")),
            Some(Ok(Ok(()))) | None => Ok(()),
        }
    }

    async fn complete(mut self, key: &Path) -> Result<()> {
        while !self.sent.is_empty() {
            self.wait().await?;
        }
        if let Some(upload) = &mut self.upload {
            upload.complete().await.map_err(|error| failed("write", &error))?;
        }
        self.upload = None;
        if self.is_object {
            return Ok(());
        }
        let options = CopyOptions::new().with_mode(CopyMode::Create);
        let copied = self.store.copy_opts(&self.at, key, options).await;
        let removed = self.store.delete(&self.at).await;
        copied.map_err(|error| failed("write", &error))?;
        // The object exists. A remaining temporary object is not visible in listings.
        drop(removed);
        Ok(())
    }
}

impl Drop for Parts {
    fn drop(&mut self) {
        let (Some(mut upload), Ok(runtime)) = (self.upload.take(), Handle::try_current()) else { return };
        let mut sent = std::mem::take(&mut self.sent);
        // The task ends in any case: the client's requests have timeouts.
        runtime.spawn(async move {
            sent.shutdown().await;
            // Abort: the server keeps the parts of an incomplete upload until then.
            if let Err(error) = upload.abort().await {
                tracing::warn!(cause = super::cause(&error), "blobstore: an upload could not be aborted");
            }
        });
    }
}
