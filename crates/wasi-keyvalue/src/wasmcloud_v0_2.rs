//! The functions of `wasmcloud:keyvalue@0.2.0`. A cursor is the last key of the page before, a version is a decimal number.

use wasmtime::component::{Accessor, Resource};

use crate::atomics::{Required, Swap};
use crate::batch::Pair;
use crate::bindings::wasmcloud_v0_2::wasmcloud::keyvalue::{atomics, batch, cas, store, types};
use crate::bucket::Page;
use crate::{Bucket, Condition, Entry, Error, ErrorKind, KeyValueView, WasiKeyValue};

/// Returns the bucket of a handle. The store is not borrowed during the call: the guest keeps running, and the call may wait
/// for the guest's other calls.
pub(crate) fn bucket<T>(accessor: &Accessor<T, WasiKeyValue>, handle: &Resource<Bucket>) -> wasmtime::Result<Bucket> {
    accessor.with(|mut access| access.get().bucket(handle)).map(Bucket::waiting)
}

impl From<Error> for types::Error {
    fn from(error: Error) -> Self {
        match error.kind() {
            ErrorKind::NoSuchStore => Self::NoSuchStore,
            ErrorKind::AccessDenied => Self::AccessDenied,
            ErrorKind::InvalidArgument => Self::InvalidArgument,
            ErrorKind::PreconditionFailed => Self::PreconditionFailed,
            ErrorKind::Timeout => Self::Timeout,
            ErrorKind::Unavailable => Self::StoreUnavailable,
            ErrorKind::QuotaExceeded => Self::QuotaExceeded,
            _ => Self::Other(error.to_string()),
        }
    }
}

impl From<Entry> for cas::Entry {
    fn from(entry: Entry) -> Self {
        Self { value: entry.value.into(), version: entry.version.to_string() }
    }
}

impl From<Swap> for cas::CasResult {
    fn from(swap: Swap) -> Self {
        match swap {
            Swap::Done => Self::Swapped,
            Swap::Stale(entry) => Self::Stale(entry.map(Into::into)),
        }
    }
}

impl From<Page> for types::KeyResponse {
    fn from(page: Page) -> Self {
        let cursor = page.cursor();
        Self { keys: page.keys, cursor }
    }
}

impl types::Host for KeyValueView<'_> {}

impl types::HostBucket for KeyValueView<'_> {
    async fn drop(&mut self, handle: Resource<Bucket>) -> wasmtime::Result<()> {
        self.drop_bucket(handle)
    }
}

impl<T: Send> types::HostBucketWithStore<T> for WasiKeyValue {
    async fn get(
        accessor: &Accessor<T, Self>,
        handle: Resource<Bucket>,
        key: String,
    ) -> wasmtime::Result<Result<Option<Vec<u8>>, types::Error>> {
        Ok(bucket(accessor, &handle)?.get(&key).await.map_err(Into::into))
    }

    async fn set(
        accessor: &Accessor<T, Self>,
        handle: Resource<Bucket>,
        key: String,
        value: Vec<u8>,
        options: Option<types::SetOptions>,
    ) -> wasmtime::Result<Result<(), types::Error>> {
        let absent = options.as_ref().is_some_and(|options| options.if_not_exists);
        let condition = if absent { Condition::Absent } else { Condition::Always };
        let ttl = options.and_then(|options| options.ttl_ms);
        Ok(bucket(accessor, &handle)?.set_if(&key, value, ttl, condition).await.map_err(Into::into))
    }

    async fn delete(
        accessor: &Accessor<T, Self>,
        handle: Resource<Bucket>,
        key: String,
    ) -> wasmtime::Result<Result<(), types::Error>> {
        Ok(bucket(accessor, &handle)?.delete(&key).await.map_err(Into::into))
    }

    async fn exists(
        accessor: &Accessor<T, Self>,
        handle: Resource<Bucket>,
        key: String,
    ) -> wasmtime::Result<Result<bool, types::Error>> {
        Ok(bucket(accessor, &handle)?.exists(&key).await.map_err(Into::into))
    }

    async fn list_keys(
        accessor: &Accessor<T, Self>,
        handle: Resource<Bucket>,
        prefix: Option<String>,
        cursor: Option<String>,
    ) -> wasmtime::Result<Result<types::KeyResponse, types::Error>> {
        let page = bucket(accessor, &handle)?.list(&prefix.unwrap_or_default(), cursor.as_deref()).await;
        Ok(page.map(types::KeyResponse::from).map_err(Into::into))
    }
}

impl store::Host for KeyValueView<'_> {}

impl<T: Send> store::HostWithStore<T> for WasiKeyValue {
    async fn open(
        accessor: &Accessor<T, Self>,
        identifier: String,
    ) -> wasmtime::Result<Result<Resource<Bucket>, types::Error>> {
        Ok(accessor.with(|mut access| access.get().open(&identifier))?.map_err(Into::into))
    }
}

impl atomics::Host for KeyValueView<'_> {}

impl<T: Send> atomics::HostWithStore<T> for WasiKeyValue {
    async fn increment(
        accessor: &Accessor<T, Self>,
        handle: Resource<Bucket>,
        key: String,
        delta: i64,
    ) -> wasmtime::Result<Result<i64, types::Error>> {
        Ok(bucket(accessor, &handle)?.increment(&key, delta).await.map_err(Into::into))
    }
}

impl cas::Host for KeyValueView<'_> {}

impl<T: Send> cas::HostWithStore<T> for WasiKeyValue {
    async fn current(
        accessor: &Accessor<T, Self>,
        handle: Resource<Bucket>,
        key: String,
    ) -> wasmtime::Result<Result<Option<cas::Entry>, types::Error>> {
        Ok(bucket(accessor, &handle)?.current(&key).await.map(|entry| entry.map(Into::into)).map_err(Into::into))
    }

    async fn swap(
        accessor: &Accessor<T, Self>,
        handle: Resource<Bucket>,
        key: String,
        value: Vec<u8>,
        options: cas::CasOptions,
    ) -> wasmtime::Result<Result<cas::CasResult, types::Error>> {
        let required = Required { version: options.require_version, value: options.require_value };
        let swap = bucket(accessor, &handle)?.swap(&key, value, &required).await;
        Ok(swap.map(Into::into).map_err(Into::into))
    }
}

impl batch::Host for KeyValueView<'_> {}

impl<T: Send> batch::HostWithStore<T> for WasiKeyValue {
    async fn get_many(
        accessor: &Accessor<T, Self>,
        handle: Resource<Bucket>,
        keys: Vec<String>,
    ) -> wasmtime::Result<Result<Vec<Option<Pair>>, types::Error>> {
        Ok(bucket(accessor, &handle)?.get_many(keys).await.map_err(Into::into))
    }

    async fn set_many(
        accessor: &Accessor<T, Self>,
        handle: Resource<Bucket>,
        pairs: Vec<Pair>,
    ) -> wasmtime::Result<Result<(), types::Error>> {
        Ok(bucket(accessor, &handle)?.set_many(pairs).await.map_err(Into::into))
    }

    async fn delete_many(
        accessor: &Accessor<T, Self>,
        handle: Resource<Bucket>,
        keys: Vec<String>,
    ) -> wasmtime::Result<Result<(), types::Error>> {
        Ok(bucket(accessor, &handle)?.delete_many(keys).await.map_err(Into::into))
    }
}
