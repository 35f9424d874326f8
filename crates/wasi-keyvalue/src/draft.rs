//! `wasi:keyvalue@0.2.0-draft`, in terms of buckets. A cursor is the number of keys on the pages before.

use wasmtime::component::Resource;

use crate::batch::Pair;
use crate::bindings::draft::wasi::keyvalue::{atomics, batch, store};
use crate::failure::Failure;
use crate::{Bucket, Error, ErrorKind, KeyValueView};

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
        handle: Resource<Bucket>,
        cursor: Option<u64>,
    ) -> Result<store::KeyResponse, Failure> {
        let mut bucket = self.bucket(&handle)?;
        let (keys, cursor) = bucket.list_by_number(cursor.unwrap_or(0)).await?;
        *self.table.get_mut(&handle)? = bucket;
        Ok(store::KeyResponse { keys, cursor })
    }

    async fn drop(&mut self, bucket: Resource<Bucket>) -> wasmtime::Result<()> {
        self.drop_bucket(bucket)
    }
}

impl atomics::Host for KeyValueView<'_> {
    async fn increment(&mut self, bucket: Resource<Bucket>, key: String, delta: u64) -> Result<u64, Failure> {
        Ok(self.bucket(&bucket)?.increment(&key, delta).await?)
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
