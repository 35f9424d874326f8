//! A multipart upload to S3 that creates an object only if none of its name exists.
//!
//! S3 evaluates the condition at completion, by the header `If-None-Match: *` of that request. The crate `object_store`
//! sets the header for copies only, so the completion uses a second client, whose connector adds it.

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use object_store::multipart::{MultipartStore, PartId};
use object_store::path::Path;
use object_store::{
    Error as Cause, MultipartId, MultipartUpload, PutMultipartOptions, PutPayload, PutResult, Result, UploadPart,
};

/// Two clients of one bucket.
#[derive(Clone)]
pub(super) struct Creator {
    /// For all requests but the completion.
    pub(super) parts: Arc<dyn MultipartStore>,
    /// Adds `If-None-Match: *` to its requests.
    pub(super) completion: Arc<dyn MultipartStore>,
}

impl Creator {
    /// Starts an upload of the object `key`.
    pub(super) async fn begin(&self, key: &Path, options: PutMultipartOptions) -> Result<Box<dyn MultipartUpload>> {
        let id = self.parts.create_multipart_opts(key, options).await?;
        Ok(Box::new(Creation { creator: self.clone(), key: key.clone(), id, count: 0, sent: Arc::default() }))
    }
}

/// The server's ids of the uploaded parts.
type Sent = Arc<Mutex<Vec<Option<PartId>>>>;

struct Creation {
    creator: Creator,
    key: Path,
    id: MultipartId,
    count: usize,
    sent: Sent,
}

impl std::fmt::Debug for Creation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Creation").field("count", &self.count).finish_non_exhaustive()
    }
}

#[async_trait]
impl MultipartUpload for Creation {
    fn put_part(&mut self, data: PutPayload) -> UploadPart {
        let index = self.count;
        self.count = index.saturating_add(1);
        locked(&self.sent).push(None);
        let (store, key, id, sent) = (self.creator.parts.clone(), self.key.clone(), self.id.clone(), self.sent.clone());
        Box::pin(async move {
            let part = store.put_part(&key, &id, index, data).await?;
            if let Some(place) = locked(&sent).get_mut(index) {
                *place = Some(part);
            }
            Ok(())
        })
    }

    async fn complete(&mut self) -> Result<PutResult> {
        let parts: Option<Vec<PartId>> = locked(&self.sent).iter().cloned().collect();
        let incomplete = || Cause::Generic { store: "S3", source: "a part was not sent".into() };
        let parts = parts.ok_or_else(incomplete)?;
        match self.creator.completion.complete_multipart(&self.key, &self.id, parts).await {
            Err(Cause::Precondition { path, source }) => Err(Cause::AlreadyExists { path, source }),
            result => result,
        }
    }

    async fn abort(&mut self) -> Result<()> {
        self.creator.parts.abort_multipart(&self.key, &self.id).await
    }
}

fn locked(sent: &Sent) -> std::sync::MutexGuard<'_, Vec<Option<PartId>>> {
    sent.lock().unwrap_or_else(PoisonError::into_inner)
}
