//! `wasi:keyvalue@0.2.0-draft2`, in terms of buckets. A cursor is the last key of the page before.

use wasmtime::component::Resource;

use crate::batch::Pair;
use crate::bindings::draft2::wasi::keyvalue::{atomics, batch, store};
use crate::failure::Failure;
use crate::{Bucket, Error, ErrorKind, KeyValueView, Version};

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

impl From<Error> for store::Error {
    fn from(error: Error) -> Self {
        match error.kind() {
            ErrorKind::NoSuchStore => Self::NoSuchStore,
            ErrorKind::AccessDenied => Self::AccessDenied,
            _ => Self::Other(error.to_string()),
        }
    }
}

impl store::Host for KeyValueView<'_> {
    async fn open(&mut self, identifier: String) -> Result<Resource<Bucket>, Failure> {
        KeyValueView::open(self, &identifier)
    }

    fn convert_error(&mut self, failure: Failure) -> wasmtime::Result<store::Error> {
        failure.into_error().map(Into::into)
    }
}

impl store::HostBucket for KeyValueView<'_> {
    async fn get(&mut self, bucket: Resource<Bucket>, key: String) -> Result<Option<Vec<u8>>, Failure> {
        Ok(self.bucket(&bucket)?.get(&key).await?)
    }

    async fn set(&mut self, bucket: Resource<Bucket>, key: String, value: Vec<u8>) -> Result<(), Failure> {
        Ok(self.bucket(&bucket)?.set(&key, value).await?)
    }

    async fn delete(&mut self, bucket: Resource<Bucket>, key: String) -> Result<(), Failure> {
        Ok(self.bucket(&bucket)?.delete(&key).await?)
    }

    async fn exists(&mut self, bucket: Resource<Bucket>, key: String) -> Result<bool, Failure> {
        Ok(self.bucket(&bucket)?.exists(&key).await?)
    }

    async fn list_keys(
        &mut self,
        bucket: Resource<Bucket>,
        cursor: Option<String>,
    ) -> Result<store::KeyResponse, Failure> {
        let page = self.bucket(&bucket)?.list("", cursor.as_deref()).await?;
        let cursor = page.cursor();
        Ok(store::KeyResponse { keys: page.keys, cursor })
    }

    async fn drop(&mut self, bucket: Resource<Bucket>) -> wasmtime::Result<()> {
        self.drop_bucket(bucket)
    }
}

impl atomics::HostCas for KeyValueView<'_> {
    async fn new(&mut self, bucket: Resource<Bucket>, key: String) -> Result<Resource<Cas>, Failure> {
        let cas = Cas::begin(self.bucket(&bucket)?, key).await?;
        self.push(cas)
    }

    /// What is read here is what the swap must find: the guest builds on it.
    async fn current(&mut self, handle: Resource<Cas>) -> Result<Option<Vec<u8>>, Failure> {
        let cas = self.table.get(&handle)?.clone();
        let entry = cas.bucket.entry(&cas.key).await?;
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

impl batch::Host for KeyValueView<'_> {
    async fn get_many(&mut self, bucket: Resource<Bucket>, keys: Vec<String>) -> Result<Vec<Option<Pair>>, Failure> {
        Ok(self.bucket(&bucket)?.get_many(keys).await?)
    }

    async fn set_many(&mut self, bucket: Resource<Bucket>, pairs: Vec<Pair>) -> Result<(), Failure> {
        Ok(self.bucket(&bucket)?.set_many(pairs).await?)
    }

    async fn delete_many(&mut self, bucket: Resource<Bucket>, keys: Vec<String>) -> Result<(), Failure> {
        Ok(self.bucket(&bucket)?.delete_many(keys).await?)
    }
}
