//! What `wasi:keyvalue@0.2.0-draft` has alone: a cursor is the number of keys on the pages before, and numbers only grow.

use wasmtime::component::Resource;

use crate::bindings::draft::wasi::keyvalue::atomics;
use crate::failure::Failure;
use crate::{Bucket, KeyValueView};

/// The keys of a page, and the cursor of the next.
pub(crate) async fn page(
    view: &mut KeyValueView<'_>,
    handle: &Resource<Bucket>,
    cursor: Option<u64>,
) -> Result<(Vec<String>, Option<u64>), Failure> {
    let mut bucket = view.bucket(handle)?;
    let page = bucket.list_by_number(cursor.unwrap_or(0)).await?;
    *view.table.get_mut(handle)? = bucket;
    Ok(page)
}

impl atomics::Host for KeyValueView<'_> {
    async fn increment(&mut self, bucket: Resource<Bucket>, key: String, delta: u64) -> Result<u64, Failure> {
        Ok(self.bucket(&bucket)?.increment(&key, delta).await?)
    }
}
