//! The code that speaks to clouds passes the checks on the stores that need no cloud.

use std::sync::Arc;

use bytes::Bytes;
use futures::TryStreamExt as _;
use object_store::local::LocalFileSystem;
use object_store::memory::InMemory;

use super::*;
use crate::{ByteRange, testkit};

#[tokio::test]
async fn in_memory() {
    for ordered in [true, false] {
        let traits = Traits { ordered, creator: None };
        let container = ObjectStore { traits, ..ObjectStore::new(Arc::new(InMemory::new()), "").unwrap() };
        testkit::check_all(Arc::new(container)).await;
    }
}

#[tokio::test]
async fn prefixes_are_apart() {
    let store: Arc<dyn Store> = Arc::new(InMemory::new());
    let one = ObjectStore::new(store.clone(), "one").unwrap();
    let two = ObjectStore::new(store.clone(), "one/two").unwrap();
    for container in [&one, &two] {
        let mut upload = container.put("n", PutOptions::default()).await.unwrap();
        upload.write(Bytes::from_static(b"data")).await.unwrap();
        upload.complete().await.unwrap();
    }
    two.delete("n").await.unwrap();
    assert!(one.stat("n").await.unwrap().is_some());
    assert!(two.list("", None, 10).await.unwrap().is_empty());
    assert!(ObjectStore::new(store, "a//b").is_err());
}

#[tokio::test]
async fn large_objects_that_must_be_the_first_keep_what_is_noted() {
    let container = ObjectStore::new(Arc::new(InMemory::new()), "").unwrap();
    let options = PutOptions { if_absent: true, content_type: Some("image/png".into()), metadata: Vec::new() };
    let large = Bytes::from(vec![1; 6 << 20]);
    let mut upload = container.put("n", options).await.unwrap();
    upload.write(large).await.unwrap();
    assert_eq!(upload.complete().await.unwrap().content_type.as_deref(), Some("image/png"));
}

/// The store for local files keeps no attributes, so it cannot pass all checks.
#[derive(Debug)]
struct WithoutAttributes(LocalFileSystem);

#[tokio::test]
async fn on_local_files() {
    let folder = tempfile::tempdir().unwrap();
    let store = WithoutAttributes(LocalFileSystem::new_with_prefix(folder.path()).unwrap());
    let container = ObjectStore::new(Arc::new(store), "root").unwrap();
    for name in ["a/../b", "b c", "A"] {
        for size in [0, 10, 12 << 20] {
            let mut upload = container.put(name, PutOptions::default()).await.unwrap();
            for piece in vec![7; size].chunks(1 << 20) {
                upload.write(Bytes::copy_from_slice(piece)).await.unwrap();
            }
            assert_eq!(upload.complete().await.unwrap().size, size as u64);
            let range = ByteRange { offset: 1, length: Some(20) };
            let (info, data) = container.get(name, Some(range)).await.unwrap();
            let chunks: Vec<Bytes> = data.try_collect().await.unwrap();
            assert_eq!(chunks.concat().len(), size.saturating_sub(1).min(20));
            assert_eq!(info.size, size as u64);
        }
    }
    let names = |entries: Vec<Entry>| entries.into_iter().map(|entry| entry.name).collect::<Vec<_>>();
    assert_eq!(names(container.list("", None, 2).await.unwrap()), ["A", "a/../b"]);
    assert_eq!(names(container.list("", Some("A"), 9).await.unwrap()), ["a/../b", "b c"]);
    let mut upload = container.put("given up", PutOptions::default()).await.unwrap();
    upload.write(vec![1; 12 << 20].into()).await.unwrap();
    drop(upload);
    assert!(container.stat("given up").await.unwrap().is_none());
    container.delete("A").await.unwrap();
    assert!(container.stat("A").await.unwrap().is_none());
}

impl fmt::Display for WithoutAttributes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[async_trait]
impl Store for WithoutAttributes {
    async fn put_opts(
        &self,
        location: &Path,
        payload: object_store::PutPayload,
        mut options: object_store::PutOptions,
    ) -> object_store::Result<object_store::PutResult> {
        options.attributes = Attributes::new();
        self.0.put_opts(location, payload, options).await
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        mut options: object_store::PutMultipartOptions,
    ) -> object_store::Result<Box<dyn object_store::MultipartUpload>> {
        options.attributes = Attributes::new();
        self.0.put_multipart_opts(location, options).await
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> object_store::Result<object_store::GetResult> {
        self.0.get_opts(location, options).await
    }

    fn delete_stream(
        &self,
        locations: futures::stream::BoxStream<'static, object_store::Result<Path>>,
    ) -> futures::stream::BoxStream<'static, object_store::Result<Path>> {
        self.0.delete_stream(locations)
    }

    fn list(&self, prefix: Option<&Path>) -> futures::stream::BoxStream<'static, object_store::Result<ObjectMeta>> {
        self.0.list(prefix)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> object_store::Result<object_store::ListResult> {
        self.0.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> object_store::Result<()> {
        self.0.copy_opts(from, to, options).await
    }
}
