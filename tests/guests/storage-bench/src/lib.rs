//! Times operations on the default keyvalue store: `get|set COUNT AT_ONCE` prints the seconds that COUNT of them took,
//! AT_ONCE at a time. The native counterpart is `tests/src/bin/native-storage.rs`: keep the two alike.

use futures::StreamExt as _;
use futures::stream;
use tempo_sdk_keyvalue::{Bucket, Error};
use wasip3::cli::environment;
use wasip3::clocks::monotonic_clock;
use wasip3::exports::cli::run::Guest;

/// Keys that are used in turn.
const KEYS: u64 = 1000;
/// Bytes in a value.
const SIZE: usize = 256;

struct Command;

wasip3::cli::command::export!(Command);

impl Guest for Command {
    async fn run() -> Result<(), ()> {
        let arguments = environment::get_arguments();
        let number = |index: usize| arguments.get(index).and_then(|text| text.parse::<u64>().ok());
        let (Some(operation), Some(count), Some(at_once)) = (arguments.get(1), number(2), number(3)) else {
            eprintln!("expected get|set COUNT AT_ONCE");
            return Err(());
        };
        let nanoseconds = time(operation, count, at_once).await.map_err(|error| eprintln!("{error}"))?;
        println!("{}", nanoseconds as f64 / 1e9);
        Ok(())
    }
}

async fn time(operation: &str, count: u64, at_once: u64) -> Result<u64, Error> {
    let bucket = Bucket::open("default").await?;
    for key in 0..KEYS.min(count) {
        bucket.set(name(key), value(key)).await?;
    }
    let started = monotonic_clock::now();
    let at_once = usize::try_from(at_once).unwrap_or(1);
    let mut operations =
        stream::iter(0..count).map(|index| perform(&bucket, operation, index)).buffer_unordered(at_once);
    while let Some(result) = operations.next().await {
        result?;
    }
    Ok(monotonic_clock::now().saturating_sub(started))
}

async fn perform(bucket: &Bucket, operation: &str, index: u64) -> Result<(), Error> {
    let key = index % KEYS;
    if operation == "set" {
        return bucket.set(name(key), value(index)).await;
    }
    let found = bucket.get(name(key)).await?;
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
