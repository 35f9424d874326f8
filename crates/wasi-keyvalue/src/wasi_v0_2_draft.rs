//! The parts of `wasi:keyvalue@0.2.0-draft` that differ from its second draft: a cursor is the number of keys on the pages
//! before, and counters are unsigned.

use wasmtime::component::Resource;

use crate::bindings::wasi_v0_2_draft::wasi::keyvalue::{atomics, store};
use crate::{Bucket, KeyValueView};

/// Lists the keys of a page. Returns them with the cursor of the next page.
pub(crate) async fn page(
    view: &mut KeyValueView<'_>,
    handle: &Resource<Bucket>,
    cursor: Option<u64>,
) -> wasmtime::Result<crate::Result<(Vec<String>, Option<u64>)>> {
    let mut bucket = view.bucket(handle)?;
    let page = bucket.list_by_number(cursor.unwrap_or(0)).await;
    *view.table.get_mut(handle)? = bucket;
    Ok(page)
}

impl atomics::Host for KeyValueView<'_> {
    async fn increment(
        &mut self,
        bucket: Resource<Bucket>,
        key: String,
        delta: u64,
    ) -> wasmtime::Result<Result<u64, store::Error>> {
        Ok(self.bucket(&bucket)?.increment(&key, delta).await.map_err(Into::into))
    }
}
