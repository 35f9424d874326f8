//! Lists keys. A bucket is ordered by its writes only, so a list walks over all keys, without values, and keeps the
//! requested page.

use std::collections::BTreeSet;
use std::time::Duration;

use async_nats::jetstream::consumer::{AckPolicy, DeliverPolicy, pull};
use tempo_keyvalue::Result;
use tokio::time::{Instant, timeout_at};

use super::bucket::Bucket;
use super::marker;
use crate::connection::Connection;
use crate::error::NatsError;
use crate::{fetch, key};

/// Keys per fetch.
const FETCH_BATCH: usize = 2_000;

/// Timeout of a list, which constant writes could otherwise extend forever.
const LIST_TIMEOUT: Duration = Duration::from_secs(30);

/// Inactivity after which the server deletes the consumer of an abandoned walk.
const INACTIVE_TIMEOUT: Duration = Duration::from_secs(10);

/// Returns the first `limit` keys that begin with `prefix` and come after `after`.
pub(super) async fn keys(
    connection: &Connection,
    bucket: &Bucket,
    prefix: &str,
    after: Option<&str>,
    limit: usize,
) -> Result<Vec<String>> {
    let mut page = Page { prefix, after, limit, keys: BTreeSet::new() };
    if limit == 0 {
        return Ok(Vec::new());
    }
    let config = pull::Config {
        deliver_policy: if bucket.keeps_history() { DeliverPolicy::LastPerSubject } else { DeliverPolicy::All },
        ack_policy: AckPolicy::None,
        filter_subject: bucket.subject(">"),
        headers_only: true,
        inactive_threshold: INACTIVE_TIMEOUT,
        memory_storage: true,
        num_replicas: 1,
        ..pull::Config::default()
    };
    let deadline = Instant::now().checked_add(LIST_TIMEOUT).ok_or(NatsError::Timeout)?;
    let walking = async {
        let consumer = bucket.stream().create_consumer(config).await.map_err(NatsError::from)?;
        let walked = fetch::all(bucket.stream(), &consumer, FETCH_BATCH, |message| {
            if !message.headers.as_ref().is_some_and(marker::is_marker)
                && let Some(key) = bucket.key(&message.subject).and_then(key::decode)
            {
                page.add(key);
            }
        });
        let walked = walked.await.map_err(|error| NatsError::other(&*error));
        // Delete it: the server would keep it until its inactivity timeout.
        bucket.stream().delete_consumer(&consumer.cached_info().name).await.ok();
        walked
    };
    let walked = timeout_at(deadline, connection.request(walking)).await.map_err(|_| NatsError::Timeout)?;
    walked.map_err(NatsError::from)??;
    Ok(page.keys.into_iter().collect())
}

/// The requested page. Keys deleted during the walk may appear.
struct Page<'a> {
    prefix: &'a str,
    after: Option<&'a str>,
    limit: usize,
    keys: BTreeSet<String>,
}

impl Page<'_> {
    fn add(&mut self, key: String) {
        if !key.starts_with(self.prefix) || self.after.is_some_and(|after| key.as_str() <= after) {
            return;
        }
        if self.keys.len() >= self.limit && self.keys.last().is_some_and(|last| *last <= key) {
            return;
        }
        self.keys.insert(key);
        if self.keys.len() > self.limit {
            self.keys.pop_last();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_the_first_of_what_was_asked_for() {
        let mut page = Page { prefix: "a", after: Some("a1"), limit: 2, keys: BTreeSet::new() };
        for key in ["a9", "b", "a1", "a5", "a0", "a5", "a3", "a2", "", "a7"] {
            page.add(key.to_owned());
        }
        assert_eq!(page.keys.into_iter().collect::<Vec<_>>(), ["a2", "a3"]);
    }
}
