//! Reads a consumer to its end, which the server reports only imprecisely while others write.
//!
//! A fetch with `no_wait` is refused while the server counts nothing pending, and its count is briefly too low: a
//! replaced message is subtracted before its replacement is added. So each fetch may wait, and ends when no message
//! arrives.

use std::time::Duration;

use async_nats::jetstream::Message;
use async_nats::jetstream::consumer::{Consumer, DeliverPolicy, pull};
use async_nats::jetstream::stream::Stream;
use futures::StreamExt as _;

/// Timeout of a fetch while messages are pending.
const FETCH_TIMEOUT: Duration = Duration::from_secs(20);

/// Timeout of a fetch when most likely none are.
const EMPTY_FETCH_TIMEOUT: Duration = Duration::from_millis(100);

/// Maximum bytes per fetch: parsed headers take many times their size in memory.
const MAX_FETCH_BYTES: usize = 1 << 20;

/// Calls `each` for every message, fetching `batch` at a time.
///
/// A consumer with `LastPerSubject` misses no message that existed at the start, unless the stream dropped it after
/// several replacements.
pub(crate) async fn all(
    stream: &Stream,
    consumer: &Consumer<pull::Config>,
    batch: usize,
    mut each: impl FnMut(Message),
) -> Result<(), async_nats::Error> {
    let mut pending = consumer.cached_info().num_pending;
    if pending == 0 && stream.get_info().await?.state.messages == 0 {
        return Ok(());
    }
    // A message that was replaced before its turn ends a fetch early.
    let skips = consumer.cached_info().config.deliver_policy == DeliverPolicy::LastPerSubject;
    let mut oversized = false;
    loop {
        let wait = if pending == 0 || skips { EMPTY_FETCH_TIMEOUT } else { FETCH_TIMEOUT };
        let alone = std::mem::take(&mut oversized);
        let (most, max_bytes) = if alone { (1, 0) } else { (batch, MAX_FETCH_BYTES) };
        let fetch = consumer.fetch().max_messages(most).max_bytes(max_bytes).expires(wait);
        let mut messages = fetch.messages().await?;
        let (mut count, mut full) = (0_usize, false);
        while let Some(message) = messages.next().await {
            let message = match message {
                // The client has no error kind for this.
                Err(error) if !alone && error.to_string().contains("MaxBytes") => {
                    full = true;
                    break;
                }
                message => message?,
            };
            count = count.saturating_add(1);
            pending = message.info().map_or(0, |info| info.pending);
            each(message);
        }
        if full {
            oversized = count == 0;
            continue;
        }
        if count < most && !skips {
            return Ok(());
        }
        if count < most {
            pending = consumer.get_info().await?.num_pending;
            if pending == 0 {
                return Ok(());
            }
        }
    }
}
