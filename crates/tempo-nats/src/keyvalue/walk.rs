//! Lists keys.

use async_nats::jetstream::Message;
use async_nats::jetstream::consumer::DeliverPolicy;
use tempo_keyvalue::Result;

use super::bucket::Bucket;
use super::marker;
use crate::connection::Connection;
use crate::key;
use crate::listing::{Source, Windows};

/// Keys per fetch.
const FETCH_BATCH: usize = 2_000;

/// Returns the first `limit` keys that begin with `prefix` and come after `after`.
pub(super) async fn keys(
    connection: &Connection,
    bucket: &Bucket,
    windows: &Windows<()>,
    from: (&str, Option<&str>),
    limit: usize,
) -> Result<Vec<String>> {
    let source = Source {
        stream: bucket.stream(),
        subjects: bucket.subject(">"),
        from: if bucket.keeps_history() { DeliverPolicy::LastPerSubject } else { DeliverPolicy::All },
        headers_only: true,
        batch: FETCH_BATCH,
        reports_removals: bucket.reports_removals(),
        parse: |message: &Message| {
            let key = bucket.key(&message.subject).and_then(key::decode)?;
            let deleted = message.headers.as_ref().is_some_and(marker::is_marker);
            Some((key, (!deleted).then_some(())))
        },
    };
    let page = windows.page(connection, &source, from, limit).await?;
    Ok(page.into_iter().map(|(key, ())| key).collect())
}
