//! The native counterpart of the guest `test-storage-bench`: the same operations in the same order, on async-nats, redb
//! or the file system. `URL OPERATION COUNT AT_ONCE` prints the seconds for COUNT operations, AT_ONCE concurrently.

use anyhow::{Context as _, Result, bail};
use async_nats::jetstream;

mod blobs;
mod keyvalue;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, url, operation, count, at_once] = arguments.as_slice() else {
        bail!("expected URL get|set|read|write COUNT AT_ONCE");
    };
    let (count, at_once) = (count.parse()?, at_once.parse()?);
    let seconds = tokio::runtime::Runtime::new()?.block_on(async {
        match operation.as_str() {
            "get" | "set" => keyvalue::time(url, operation == "set", count, at_once).await,
            "read" | "write" => blobs::time(url, operation == "write", count).await,
            _ => bail!("unknown operation `{operation}`"),
        }
    })?;
    println!("{seconds}");
    Ok(())
}

/// Connects to the server of `nats://HOST/BUCKET`, and returns the bucket's name.
async fn connect(url: &str) -> Result<(jetstream::Context, &str)> {
    let (server, bucket) = url.rsplit_once('/').context("expected nats://HOST/BUCKET")?;
    Ok((jetstream::new(async_nats::connect(server).await?), bucket))
}
