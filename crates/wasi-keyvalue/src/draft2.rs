//! What `wasi:keyvalue@0.2.0-draft2` has alone: a cursor is the last key of the page before, and there is
//! compare-and-swap.

use wasmtime::component::Resource;

use crate::bindings::draft2::wasi::keyvalue::atomics;
use crate::failure::Failure;
use crate::{Bucket, KeyValueView, Version};

/// A compare-and-swap that a component has begun. It keeps no value: many handles would keep many of them.
#[derive(Clone)]
pub struct Cas {
    bucket: Bucket,
    key: String,
    /// Of the entry that a swap must find, or `None` if it must find none.
    version: Option<Version>,
}

impl Cas {
    async fn begin(bucket: Bucket, key: String) -> crate::Result<Self> {
        let version = bucket.version(&key).await?;
        Ok(Self { bucket, key, version })
    }
}

/// The keys of a page, and the cursor of the next.
pub(crate) async fn page(
    view: &mut KeyValueView<'_>,
    handle: &Resource<Bucket>,
    cursor: Option<String>,
) -> Result<(Vec<String>, Option<String>), Failure> {
    let page = view.bucket(handle)?.list("", cursor.as_deref()).await?;
    let cursor = page.cursor();
    Ok((page.keys, cursor))
}

impl atomics::HostCas for KeyValueView<'_> {
    async fn new(&mut self, bucket: Resource<Bucket>, key: String) -> Result<Resource<Cas>, Failure> {
        let cas = Cas::begin(self.bucket(&bucket)?, key).await?;
        self.push(cas)
    }

    /// What is read here is what the swap must find: the guest builds on it.
    async fn current(&mut self, handle: Resource<Cas>) -> Result<Option<Vec<u8>>, Failure> {
        let cas = self.table.get(&handle)?.clone();
        let entry = cas.bucket.current(&cas.key).await?;
        self.table.get_mut(&handle)?.version = entry.as_ref().map(|entry| entry.version);
        Ok(entry.map(|entry| entry.value.into()))
    }

    async fn drop(&mut self, handle: Resource<Cas>) -> wasmtime::Result<()> {
        self.table.delete(handle)?;
        Ok(())
    }
}

impl atomics::Host for KeyValueView<'_> {
    async fn increment(&mut self, bucket: Resource<Bucket>, key: String, delta: i64) -> Result<i64, Failure> {
        Ok(self.bucket(&bucket)?.increment(&key, delta).await?)
    }

    async fn swap(&mut self, handle: Resource<Cas>, value: Vec<u8>) -> wasmtime::Result<Result<(), atomics::CasError>> {
        let cas = self.table.delete(handle)?;
        let failed = match cas.bucket.write_over(&cas.key, value, cas.version).await {
            Ok(true) => return Ok(Ok(())),
            Ok(false) => match Cas::begin(cas.bucket, cas.key).await {
                Ok(fresh) => atomics::CasError::CasFailed(self.table.push(fresh)?),
                Err(error) => atomics::CasError::StoreError(error.into()),
            },
            Err(error) => atomics::CasError::StoreError(error.into()),
        };
        Ok(Err(failed))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tempo_backend::Backends;
    use tempo_core::Limits;
    use wasmtime::component::ResourceTable;

    use super::atomics::{CasError, Host as _, HostCas as _};
    use super::*;
    use crate::bindings::draft2::wasi::keyvalue::store::{self, Host as _, HostBucket as _};
    use crate::{KeyValueCtx, KeyValueStore, MemoryStore};

    fn state() -> KeyValueCtx {
        let store: Arc<dyn KeyValueStore> = Arc::new(MemoryStore::default());
        KeyValueCtx::new(Backends::new([("default".to_owned(), store)]), &Limits::default())
    }

    /// The same bucket once more: a call takes its handle.
    fn again(bucket: &Resource<Bucket>) -> Resource<Bucket> {
        Resource::new_borrow(bucket.rep())
    }

    #[tokio::test]
    async fn a_swap_that_failed_leaves_a_handle_that_knows_what_is_there_now() {
        let (state, mut table) = (state(), ResourceTable::new());
        let mut view = state.view(&mut table);
        let bucket = store::Host::open(&mut view, "default".into()).await.unwrap();
        let stale = view.new(again(&bucket), "k".into()).await.unwrap();
        view.set(again(&bucket), "k".into(), b"theirs".to_vec()).await.unwrap();
        let Err(CasError::CasFailed(fresh)) = atomics::Host::swap(&mut view, stale, b"mine".to_vec()).await.unwrap()
        else {
            panic!("what was there was not noticed");
        };
        assert_eq!(view.current(Resource::new_borrow(fresh.rep())).await.unwrap(), Some(b"theirs".to_vec()));
        assert!(atomics::Host::swap(&mut view, fresh, b"mine".to_vec()).await.unwrap().is_ok());
        assert_eq!(view.get(again(&bucket), "k".into()).await.unwrap(), Some(b"mine".to_vec()));
        store::HostBucket::drop(&mut view, bucket).await.unwrap();
        assert!(table.is_empty(), "a handle was left behind");
    }

    #[tokio::test]
    async fn what_was_read_last_is_what_a_swap_must_find() {
        let (state, mut table) = (state(), ResourceTable::new());
        let mut view = state.view(&mut table);
        let bucket = store::Host::open(&mut view, "default".into()).await.unwrap();
        let cas = view.new(again(&bucket), "k".into()).await.unwrap();
        assert_eq!(view.current(Resource::new_borrow(cas.rep())).await.unwrap(), None);
        view.set(again(&bucket), "k".into(), b"1".to_vec()).await.unwrap();
        assert_eq!(view.current(Resource::new_borrow(cas.rep())).await.unwrap(), Some(b"1".to_vec()));
        assert!(view.swap(cas, b"2".to_vec()).await.unwrap().is_ok());
        let cas = view.new(again(&bucket), "k".into()).await.unwrap();
        let too_large = view.swap(cas, vec![0; (1 << 20) + 1]).await.unwrap();
        assert!(matches!(too_large, Err(CasError::StoreError(store::Error::Other(_)))));
        assert_eq!(view.get(bucket, "k".into()).await.unwrap(), Some(b"2".to_vec()));
    }

    #[tokio::test]
    async fn errors_are_told_in_the_words_of_the_interface() {
        let (state, mut table) = (state(), ResourceTable::new());
        let mut view = state.view(&mut table);
        let failure = store::Host::open(&mut view, "other".into()).await.unwrap_err();
        assert!(matches!(view.convert_error(failure), Ok(store::Error::NoSuchStore)));
        let bucket = store::Host::open(&mut view, "default".into()).await.unwrap();
        let failure = view.get(bucket, String::new()).await.unwrap_err();
        let Ok(store::Error::Other(text)) = view.convert_error(failure) else { panic!("another error") };
        assert_eq!(text, "keyvalue: a key has between 1 and 512 bytes, not 0");
        let failure = view.get(Resource::new_borrow(77), "k".into()).await.unwrap_err();
        assert!(view.convert_error(failure).is_err(), "a handle that is not there is a trap");
    }
}
