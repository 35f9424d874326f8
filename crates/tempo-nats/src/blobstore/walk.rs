//! Lists objects. The stream is ordered by writes, so a listing reads all metadata messages and keeps the requested
//! page.

use std::collections::BTreeMap;
use std::time::Duration;

use async_nats::jetstream::Message;
use async_nats::jetstream::consumer::{AckPolicy, DeliverPolicy, pull};
use tempo_blobstore::{Entry, Result};
use tokio::time::{Instant, timeout_at};

use super::bucket::Bucket;
use super::meta::Last;
use crate::error::NatsError;
use crate::fetch;

/// Metadata messages per fetch. Each may have some kilobytes.
const FETCH_BATCH: usize = 500;

/// Timeout of a listing, which might otherwise never catch up with fast writers.
const LIST_TIMEOUT: Duration = Duration::from_secs(30);

/// Inactivity after which the server deletes the consumer of an abandoned walk.
const INACTIVE_TIMEOUT: Duration = Duration::from_secs(10);

/// Maximum bytes of a name that components can use.
const MAX_NAME_BYTES: usize = 1024;

/// Lists the first `limit` objects with the prefix `prefix` after the name `after`.
pub(super) async fn list(bucket: &Bucket, prefix: &str, after: Option<&str>, limit: usize) -> Result<Vec<Entry>> {
    if limit == 0 {
        return Ok(Vec::new());
    }
    let deadline = Instant::now().checked_add(LIST_TIMEOUT).ok_or(NatsError::Timeout)?;
    let mut room = limit;
    loop {
        let mut page = Page { prefix, after, room, entries: BTreeMap::new(), left_out: false, gone: 0 };
        let walking = bucket.connection.request(walk(bucket, &mut page));
        let walked = timeout_at(deadline, walking).await.map_err(|_| NatsError::Timeout)?;
        walked.map_err(NatsError::from)??;
        // Deleted objects took places of the page: read again with a larger page.
        if page.entries.len() >= limit || !page.left_out {
            return Ok(page.entries.into_values().take(limit).collect());
        }
        room = room.saturating_add(page.gone);
    }
}

async fn walk(bucket: &Bucket, page: &mut Page<'_>) -> Result<()> {
    let config = pull::Config {
        // Each metadata message rolls up its predecessors, so a subject has hardly more than one.
        deliver_policy: DeliverPolicy::All,
        ack_policy: AckPolicy::None,
        filter_subject: bucket.descriptions(),
        inactive_threshold: INACTIVE_TIMEOUT,
        memory_storage: true,
        num_replicas: 1,
        ..pull::Config::default()
    };
    let consumer = bucket.stream.create_consumer(config).await.map_err(NatsError::from)?;
    let walked = fetch::all(&bucket.stream, &consumer, FETCH_BATCH, |message| {
        if let Some(name) = bucket.object(&message.subject).filter(|name| page.asks_for(name)) {
            match read(&message, &name) {
                Some(entry) => page.add(entry),
                None => page.remove(&name),
            }
        }
    });
    let walked = walked.await.map_err(|error| NatsError::other(&*error));
    // Delete it: the server would keep it until its inactivity timeout.
    bucket.stream.delete_consumer(&consumer.cached_info().name).await.ok();
    Ok(walked?)
}

fn read(message: &Message, name: &str) -> Option<Entry> {
    let info = message.info().ok()?;
    Last::parse(info.stream_sequence, info.published, &message.payload).ok()?.entry(name)
}

/// The requested page. It may contain an object that is deleted during the walk.
struct Page<'a> {
    prefix: &'a str,
    after: Option<&'a str>,
    room: usize,
    entries: BTreeMap<String, Entry>,
    /// True if an object did not fit.
    left_out: bool,
    /// Number of objects that were removed by a later metadata message. After a crash the server may restore messages
    /// that were rolled up.
    gone: usize,
}

impl Page<'_> {
    fn asks_for(&self, name: &str) -> bool {
        let asked = name.starts_with(self.prefix) && self.after.is_none_or(|after| name > after);
        asked && (1..=MAX_NAME_BYTES).contains(&name.len())
    }

    /// Adds an entry. Replaces an entry of the same name: the object was replaced during the walk.
    fn add(&mut self, entry: Entry) {
        self.entries.insert(entry.name.clone(), entry);
        if self.entries.len() > self.room {
            self.entries.pop_last();
            self.left_out = true;
        }
    }

    fn remove(&mut self, name: &str) {
        let removed = self.entries.remove(name).is_some();
        self.gone = self.gone.saturating_add(usize::from(removed));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(name: &str, size: u64) -> Entry {
        Entry::new(name, size, 1, "")
    }

    fn page(room: usize) -> Page<'static> {
        Page { prefix: "a", after: Some("a1"), room, entries: BTreeMap::new(), left_out: false, gone: 0 }
    }

    #[test]
    fn a_page_is_the_first_of_what_was_asked_for() {
        let mut page = page(2);
        let long = "a".repeat(1025);
        for (size, name) in (0..).zip(["a9", "b", "a1", "a5", "a0", "a5", "a3", "a2", "", &long, "a7", "a3"]) {
            if page.asks_for(name) {
                page.add(entry(name, size));
            }
        }
        assert!(page.left_out);
        assert_eq!(page.entries.into_values().collect::<Vec<_>>(), [entry("a2", 7), entry("a3", 11)]);
    }

    #[test]
    fn what_is_gone_leaves_its_place() {
        let mut page = page(2);
        for (size, name) in (0..).zip(["a2", "a3", "a4"]) {
            page.add(entry(name, size));
        }
        page.remove("a2");
        page.remove("a4");
        assert_eq!((page.gone, page.left_out), (1, true), "one more needs room");
        assert_eq!(page.entries.into_values().collect::<Vec<_>>(), [entry("a3", 1)]);
    }
}
