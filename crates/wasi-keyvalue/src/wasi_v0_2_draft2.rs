//! The parts of `wasi:keyvalue@0.2.0-draft2` that differ from its first draft: a cursor is the last key of the page before,
//! counters are signed, and there is compare-and-swap.

use wasmtime::component::Resource;

use crate::atomics::WriteOver;
use crate::bindings::wasi_v0_2_draft2::wasi::keyvalue::{atomics, store};
use crate::{Bucket, KeyValueView, Version};

/// A compare-and-swap that a component has begun. It keeps no value: many handles would keep many of them.
#[derive(Clone, Debug)]
#[expect(unreachable_pub, reason = "the generated bindings re-export it")]
pub struct Cas {
    bucket: Bucket,
    key: String,
    /// The version of the entry that a swap replaces, or `None` if there must be no entry.
    version: Option<Version>,
}

/// Lists the keys of a page. Returns them with the cursor of the next page.
pub(crate) async fn page(
    view: &mut KeyValueView<'_>,
    handle: &Resource<Bucket>,
    cursor: Option<String>,
) -> wasmtime::Result<crate::Result<(Vec<String>, Option<String>)>> {
    let page = view.bucket(handle)?.list("", cursor.as_deref()).await;
    Ok(page.map(|page| {
        let cursor = page.cursor();
        (page.keys, cursor)
    }))
}

impl atomics::HostCas for KeyValueView<'_> {
    async fn new(
        &mut self,
        bucket: Resource<Bucket>,
        key: String,
    ) -> wasmtime::Result<Result<Resource<Cas>, store::Error>> {
        let bucket = self.bucket(&bucket)?;
        match bucket.cas(&key).await {
            Ok(version) => Ok(Ok(self.table.push(Cas { bucket, key, version })?)),
            Err(error) => Ok(Err(error.into())),
        }
    }

    /// The guest builds on the value that it reads here, so a swap replaces this one.
    async fn current(&mut self, handle: Resource<Cas>) -> wasmtime::Result<Result<Option<Vec<u8>>, store::Error>> {
        let cas = self.table.get(&handle)?.clone();
        let entry = match cas.bucket.current(&cas.key).await {
            Ok(entry) => entry,
            Err(error) => return Ok(Err(error.into())),
        };
        self.table.get_mut(&handle)?.version = entry.as_ref().map(|entry| entry.version);
        Ok(Ok(entry.map(|entry| entry.value.into())))
    }

    async fn drop(&mut self, handle: Resource<Cas>) -> wasmtime::Result<()> {
        self.table.delete(handle)?;
        Ok(())
    }
}

impl atomics::Host for KeyValueView<'_> {
    async fn increment(
        &mut self,
        bucket: Resource<Bucket>,
        key: String,
        delta: i64,
    ) -> wasmtime::Result<Result<i64, store::Error>> {
        Ok(self.bucket(&bucket)?.increment(&key, delta).await.map_err(Into::into))
    }

    async fn swap(&mut self, handle: Resource<Cas>, value: Vec<u8>) -> wasmtime::Result<Result<(), atomics::CasError>> {
        let Cas { bucket, key, version } = self.table.delete(handle)?;
        Ok(match bucket.write_over(&key, value, version).await {
            Ok(WriteOver::Done) => Ok(()),
            Ok(WriteOver::Stale(version)) => {
                Err(atomics::CasError::CasFailed(self.table.push(Cas { bucket, key, version })?))
            }
            Err(error) => Err(atomics::CasError::StoreError(error.into())),
        })
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
    use crate::bindings::wasi_v0_2_draft2::wasi::keyvalue::store::HostBucket as _;
    use crate::{KeyValueCtx, KeyValueStore, MemoryStore};

    fn state() -> KeyValueCtx {
        let store: Arc<dyn KeyValueStore> = Arc::new(MemoryStore::default());
        KeyValueCtx::new(Backends::new([("default".to_owned(), store)]), &Limits::default())
    }

    async fn open(view: &mut KeyValueView<'_>, name: &str) -> Result<Resource<Bucket>, store::Error> {
        store::Host::open(view, name.into()).await.unwrap()
    }

    /// The same bucket once more: a call takes its handle.
    fn again(bucket: &Resource<Bucket>) -> Resource<Bucket> {
        Resource::new_borrow(bucket.rep())
    }

    #[tokio::test]
    async fn a_swap_that_failed_leaves_a_handle_that_knows_what_is_there_now() {
        let (state, mut table) = (state(), ResourceTable::new());
        let mut view = state.view(&mut table);
        let bucket = open(&mut view, "default").await.unwrap();
        let stale = view.new(again(&bucket), "k".into()).await.unwrap().unwrap();
        view.set(again(&bucket), "k".into(), b"theirs".to_vec()).await.unwrap().unwrap();
        let Err(CasError::CasFailed(fresh)) = atomics::Host::swap(&mut view, stale, b"mine".to_vec()).await.unwrap()
        else {
            panic!("what was there was not noticed");
        };
        assert_eq!(view.current(Resource::new_borrow(fresh.rep())).await.unwrap().unwrap(), Some(b"theirs".to_vec()));
        assert!(atomics::Host::swap(&mut view, fresh, b"mine".to_vec()).await.unwrap().is_ok());
        assert_eq!(view.get(again(&bucket), "k".into()).await.unwrap().unwrap(), Some(b"mine".to_vec()));
        store::HostBucket::drop(&mut view, bucket).await.unwrap();
        assert!(table.is_empty(), "a handle was left behind");
    }

    #[tokio::test]
    async fn what_was_read_last_is_what_a_swap_must_find() {
        let (state, mut table) = (state(), ResourceTable::new());
        let mut view = state.view(&mut table);
        let bucket = open(&mut view, "default").await.unwrap();
        let cas = view.new(again(&bucket), "k".into()).await.unwrap().unwrap();
        assert_eq!(view.current(Resource::new_borrow(cas.rep())).await.unwrap().unwrap(), None);
        view.set(again(&bucket), "k".into(), b"1".to_vec()).await.unwrap().unwrap();
        assert_eq!(view.current(Resource::new_borrow(cas.rep())).await.unwrap().unwrap(), Some(b"1".to_vec()));
        assert!(view.swap(cas, b"2".to_vec()).await.unwrap().is_ok());
        let cas = view.new(again(&bucket), "k".into()).await.unwrap().unwrap();
        let too_large = view.swap(cas, vec![0; (1 << 20) + 1]).await.unwrap();
        assert!(matches!(too_large, Err(CasError::StoreError(store::Error::Other(_)))));
        assert_eq!(view.get(bucket, "k".into()).await.unwrap().unwrap(), Some(b"2".to_vec()));
    }

    #[tokio::test]
    async fn errors_have_the_cases_of_the_interface() {
        let (state, mut table) = (state(), ResourceTable::new());
        let mut view = state.view(&mut table);
        let error = open(&mut view, "other").await.unwrap_err();
        assert!(matches!(error, store::Error::NoSuchStore));
        let bucket = open(&mut view, "default").await.unwrap();
        let error = view.get(bucket, String::new()).await.unwrap().unwrap_err();
        let store::Error::Other(text) = error else { panic!("another error") };
        assert_eq!(text, "keyvalue: a key has between 1 and 512 bytes, not 0");
        let trap = view.get(Resource::new_borrow(77), "k".into()).await;
        assert!(trap.is_err(), "an invalid handle is a trap");
    }
}
