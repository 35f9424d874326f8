//! `wasmcloud:keyvalue@0.2.0`, in terms of buckets. A cursor is the last key of the page before, a version a number.

use wasmtime::component::{Accessor, Resource};

use crate::atomics::{Required, Swap};
use crate::batch::Pair;
use crate::bindings::wasmcloud::wasmcloud::keyvalue::{atomics, batch, cas, store, types};
use crate::failure::Failure;
use crate::{Bucket, Condition, Entry, Error, ErrorKind, KeyValueView, WasiKeyValue};

/// The bucket behind a handle. The store is not borrowed while a backend works, so that the guest can go on, and the call
/// may wait for others of it.
fn bucket<T>(accessor: &Accessor<T, WasiKeyValue>, handle: &Resource<Bucket>) -> Result<Bucket, Failure> {
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
            ErrorKind::Other => Self::Other(error.to_string()),
        }
    }
}

impl From<Entry> for cas::Entry {
    fn from(entry: Entry) -> Self {
        Self { value: entry.value.into(), version: entry.version.to_string() }
    }
}

impl types::Host for KeyValueView<'_> {
    fn convert_error(&mut self, failure: Failure) -> wasmtime::Result<types::Error> {
        failure.into_error().map(Into::into)
    }
}

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
    ) -> Result<Option<Vec<u8>>, Failure> {
        Ok(bucket(accessor, &handle)?.get(&key).await?)
    }

    async fn set(
        accessor: &Accessor<T, Self>,
        handle: Resource<Bucket>,
        key: String,
        value: Vec<u8>,
        options: Option<types::SetOptions>,
    ) -> Result<(), Failure> {
        let absent = options.as_ref().is_some_and(|options| options.if_not_exists);
        let condition = if absent { Condition::Absent } else { Condition::Always };
        let ttl = options.and_then(|options| options.ttl_ms);
        Ok(bucket(accessor, &handle)?.set_if(&key, value, ttl, condition).await?)
    }

    async fn delete(accessor: &Accessor<T, Self>, handle: Resource<Bucket>, key: String) -> Result<(), Failure> {
        Ok(bucket(accessor, &handle)?.delete(&key).await?)
    }

    async fn exists(accessor: &Accessor<T, Self>, handle: Resource<Bucket>, key: String) -> Result<bool, Failure> {
        Ok(bucket(accessor, &handle)?.exists(&key).await?)
    }

    async fn list_keys(
        accessor: &Accessor<T, Self>,
        handle: Resource<Bucket>,
        prefix: Option<String>,
        cursor: Option<String>,
    ) -> Result<types::KeyResponse, Failure> {
        let page = bucket(accessor, &handle)?.list(&prefix.unwrap_or_default(), cursor.as_deref()).await?;
        let cursor = page.cursor();
        Ok(types::KeyResponse { keys: page.keys, cursor })
    }
}

impl store::Host for KeyValueView<'_> {}

impl<T: Send> store::HostWithStore<T> for WasiKeyValue {
    async fn open(accessor: &Accessor<T, Self>, identifier: String) -> Result<Resource<Bucket>, Failure> {
        accessor.with(|mut access| access.get().open(&identifier))
    }
}

impl atomics::Host for KeyValueView<'_> {}

impl<T: Send> atomics::HostWithStore<T> for WasiKeyValue {
    async fn increment(
        accessor: &Accessor<T, Self>,
        handle: Resource<Bucket>,
        key: String,
        delta: i64,
    ) -> Result<i64, Failure> {
        Ok(bucket(accessor, &handle)?.increment(&key, delta).await?)
    }
}

impl cas::Host for KeyValueView<'_> {}

impl<T: Send> cas::HostWithStore<T> for WasiKeyValue {
    async fn current(
        accessor: &Accessor<T, Self>,
        handle: Resource<Bucket>,
        key: String,
    ) -> Result<Option<cas::Entry>, Failure> {
        Ok(bucket(accessor, &handle)?.current(&key).await?.map(Into::into))
    }

    async fn swap(
        accessor: &Accessor<T, Self>,
        handle: Resource<Bucket>,
        key: String,
        value: Vec<u8>,
        options: cas::CasOptions,
    ) -> Result<cas::CasResult, Failure> {
        let required = Required { version: options.require_version, value: options.require_value };
        Ok(match bucket(accessor, &handle)?.swap(&key, value, &required).await? {
            Swap::Done => cas::CasResult::Swapped,
            Swap::Stale(entry) => cas::CasResult::Stale(entry.map(Into::into)),
        })
    }
}

impl batch::Host for KeyValueView<'_> {}

impl<T: Send> batch::HostWithStore<T> for WasiKeyValue {
    async fn get_many(
        accessor: &Accessor<T, Self>,
        handle: Resource<Bucket>,
        keys: Vec<String>,
    ) -> Result<Vec<Option<Pair>>, Failure> {
        Ok(bucket(accessor, &handle)?.get_many(keys).await?)
    }

    async fn set_many(accessor: &Accessor<T, Self>, handle: Resource<Bucket>, pairs: Vec<Pair>) -> Result<(), Failure> {
        Ok(bucket(accessor, &handle)?.set_many(pairs).await?)
    }

    async fn delete_many(
        accessor: &Accessor<T, Self>,
        handle: Resource<Bucket>,
        keys: Vec<String>,
    ) -> Result<(), Failure> {
        Ok(bucket(accessor, &handle)?.delete_many(keys).await?)
    }
}
