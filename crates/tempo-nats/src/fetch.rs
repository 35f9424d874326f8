//! Reading a consumer to its end, which the server does not say plainly while others write.
//!
//! A fetch that would not wait is refused when the server counts nothing pending, and for a moment it counts too little:
//! a message that is replaced is taken off at once, the one that replaces it is added a little later. So each fetch may
//! wait, and then it ends where there is nothing more to read.

use std::time::Duration;

use async_nats::jetstream::Message;
use async_nats::jetstream::consumer::{Consumer, DeliverPolicy, pull};
use async_nats::jetstream::stream::Stream;
use futures::StreamExt as _;

/// How long a fetch may take where there is something to read.
const BUSY: Duration = Duration::from_secs(20);

/// How long a fetch waits where there is most likely nothing.
const QUIET: Duration = Duration::from_millis(100);

/// How many bytes one fetch may bring: headers take many times their bytes once the client has taken them apart.
const MAX_FETCH_BYTES: usize = 1 << 20;

/// Gives `each` every message, fetching `batch` at once.
///
/// Of a consumer of the last message of each subject, none is missed that was there when it began, unless it has been
/// replaced so often that the stream has dropped it.
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
    // A message that the last of a subject was, and that is gone when its turn comes, ends a fetch with more to come.
    let skips = consumer.cached_info().config.deliver_policy == DeliverPolicy::LastPerSubject;
    let mut oversized = false;
    loop {
        let wait = if pending == 0 || skips { QUIET } else { BUSY };
        let alone = std::mem::take(&mut oversized);
        let (most, max_bytes) = if alone { (1, 0) } else { (batch, MAX_FETCH_BYTES) };
        let fetch = consumer.fetch().max_messages(most).max_bytes(max_bytes).expires(wait);
        let mut messages = fetch.messages().await?;
        let (mut count, mut full) = (0_usize, false);
        while let Some(message) = messages.next().await {
            let message = match message {
                // The client has no kind for it.
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
