//! Lists objects.

use async_nats::jetstream::Message;
use async_nats::jetstream::consumer::DeliverPolicy;
use tempo_blobstore::{Entry, Result};

use super::bucket::Bucket;
use super::meta::Last;
use crate::listing::Source;
use crate::listing::window::Listed;

/// Metadata messages per fetch. Each may have some kilobytes.
const FETCH_BATCH: usize = 1_000;

/// Maximum bytes of a name that components can use.
const MAX_NAME_BYTES: usize = 1024;

/// An entry without its name.
#[derive(Clone)]
pub(super) struct Object {
    size: u64,
    created: u64,
    etag: Box<str>,
}

impl Listed for Object {
    fn heap_bytes(&self) -> usize {
        self.etag.len()
    }
}

/// Lists the first `limit` objects with the prefix `prefix` after the name `after`.
pub(super) async fn list(bucket: &Bucket, from: (&str, Option<&str>), limit: usize) -> Result<Vec<Entry>> {
    let source = Source {
        stream: &bucket.stream,
        subjects: bucket.descriptions(),
        // Each metadata message rolls up its predecessors, so a subject has hardly more than one.
        from: DeliverPolicy::All,
        headers_only: false,
        batch: FETCH_BATCH,
        reports_removals: bucket.stream.cached_info().config.max_age.is_zero(),
        parse: |message: &Message| {
            let name = bucket.object(&message.subject)?;
            let object = read(message, &name);
            (1..=MAX_NAME_BYTES).contains(&name.len()).then_some((name, object))
        },
    };
    let page = bucket.windows.page(&bucket.connection, &source, from, limit).await?;
    let entry = |(name, object): (String, Object)| Entry::new(name, object.size, object.created, object.etag);
    Ok(page.into_iter().map(entry).collect())
}

fn read(message: &Message, name: &str) -> Option<Object> {
    let info = message.info().ok()?;
    let entry = Last::parse(info.stream_sequence, info.published, &message.payload).ok()?.entry(name)?;
    Some(Object { size: entry.size, created: entry.created, etag: entry.etag.into() })
}
