//! Measures the listing of a large bucket of keys and of objects, page by page, as a component reads it.
//!
//! ```console
//! $ nats-server --jetstream --store_dir /tmp/listing &
//! $ cargo run --release --package tempo-nats --example listing -- 127.0.0.1:4222 100000
//! ```

use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context as _, Result};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use tempo_blobstore::{Container, PutOptions};
use tempo_keyvalue::{Condition, KeyValueStore};
use tempo_nats::{NatsBlobstore, NatsKeyValue};

/// Names per page, as many as a component gets at once.
const PAGE: usize = 1_000;

#[tokio::main]
async fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let server = arguments.next().context("usage: listing HOST:PORT COUNT")?;
    let count: usize = arguments.next().context("usage: listing HOST:PORT COUNT")?.parse()?;
    let client = async_nats::connect(server).await?;
    let store = NatsKeyValue::new(client.clone(), "listing").await?;
    let container: Arc<dyn Container> = Arc::new(NatsBlobstore::new(client, "listing").await?);

    let start = Instant::now();
    let names = (0..count).map(|number| format!("user/{number:08}/profile"));
    let writes = names.clone().map(|name| {
        let store = &store;
        async move { store.set(&name, "value".into(), None, Condition::Always).await }
    });
    stream::iter(writes).buffer_unordered(32).try_for_each(|_| std::future::ready(Ok(()))).await?;
    println!("{count} keys written in {:.1?}", start.elapsed());
    let (start, mut after, mut listed) = (Instant::now(), None::<String>, 0);
    loop {
        let page = store.keys("", after.as_deref(), PAGE).await?;
        listed += page.len();
        after = page.last().cloned();
        if page.len() < PAGE {
            break;
        }
    }
    println!("{listed} keys listed in {:.1?}", start.elapsed());

    let start = Instant::now();
    let writes = names.map(|name| {
        let container = &container;
        async move { container.put(&name, PutOptions::default()).await?.complete().await }
    });
    stream::iter(writes).buffer_unordered(32).try_for_each(|_| std::future::ready(Ok(()))).await?;
    println!("{count} objects written in {:.1?}", start.elapsed());
    let (start, mut after, mut listed) = (Instant::now(), None::<String>, 0);
    loop {
        let page = container.list("", after.as_deref(), PAGE).await?;
        listed += page.len();
        after = page.last().map(|entry| entry.name.clone());
        if page.len() < PAGE {
            break;
        }
    }
    println!("{listed} objects listed in {:.1?}", start.elapsed());
    Ok(())
}
