//! Values of 256 bytes.

use std::collections::BTreeSet;

use futures::StreamExt as _;
use futures::future::join_all;
use futures::stream;
use tempo_sdk_keyvalue::{Bucket, Error};
use wasip3::clocks::monotonic_clock;

/// The number of keys, which are used in turn.
const KEYS: u64 = 1000;
/// The size of a value, in bytes.
const SIZE: usize = 256;

pub(crate) async fn time(set: bool, count: u64, at_once: u64) -> Result<u64, Error> {
    let bucket = Bucket::open("default").await?;
    for key in 0..KEYS.min(count) {
        bucket.set(name(key), value(key)).await?;
    }
    let started = monotonic_clock::now();
    let at_once = usize::try_from(at_once).unwrap_or(1);
    let mut operations = stream::iter(0..count).map(|index| perform(&bucket, set, index)).buffer_unordered(at_once);
    while let Some(result) = operations.next().await {
        result?;
    }
    Ok(monotonic_clock::now().saturating_sub(started))
}

/// Starts `count` calls that write `bytes` bytes each, before it awaits the first. Returns the number of successes, and
/// the errors of the others.
pub(crate) async fn flood(count: u64, bytes: u64) -> Result<String, Error> {
    let bucket = Bucket::open("default").await?;
    let value = vec![b'.'; usize::try_from(bytes).unwrap_or(usize::MAX)];
    let writes = (0..count).map(|index| bucket.set((index % 10).to_string(), value.clone()));
    let results = join_all(writes).await;
    let done = results.iter().filter(|result| result.is_ok()).count();
    let errors: BTreeSet<String> = results.into_iter().filter_map(Result::err).map(|error| error.to_string()).collect();
    Ok(format!("{done} {errors:?}"))
}

async fn perform(bucket: &Bucket, set: bool, index: u64) -> Result<(), Error> {
    let key = name(index % KEYS);
    if set {
        return bucket.set(key, value(index)).await;
    }
    let found = bucket.get(key).await?;
    assert_eq!(found.map(|value| value.len()), Some(SIZE));
    Ok(())
}

fn name(key: u64) -> String {
    format!("key-{key}")
}

fn value(index: u64) -> Vec<u8> {
    let mut value = index.to_le_bytes().to_vec();
    value.resize(SIZE, b'.');
    value
}
