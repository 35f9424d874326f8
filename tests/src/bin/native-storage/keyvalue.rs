//! Values of 256 bytes, in a bucket of JetStream or in redb.

use std::sync::Arc;
use std::time::Instant;

use anyhow::{Result, ensure};
use async_nats::jetstream::kv;
use futures::StreamExt as _;
use futures::stream;
use redb::{Database, ReadableDatabase as _, TableDefinition};

use super::connect;

const KEYS: u64 = 1000;
const SIZE: usize = 256;
const TABLE: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("entries");

#[derive(Clone)]
enum Store {
    Nats(Box<kv::Store>),
    Redb(Arc<Database>),
}

pub(crate) async fn time(url: &str, set: bool, count: u64, at_once: usize) -> Result<f64> {
    let store = Store::open(url).await?;
    for key in 0..KEYS.min(count) {
        store.set(name(key), value(key)).await?;
    }
    let started = Instant::now();
    if at_once == 1 {
        for index in 0..count {
            store.perform(set, index).await?;
        }
        return Ok(started.elapsed().as_secs_f64());
    }
    let operations = stream::iter(0..count).map(|index| {
        let store = store.clone();
        // One task per operation, to use all cores.
        tokio::spawn(async move { store.perform(set, index).await })
    });
    let mut operations = operations.buffer_unordered(at_once);
    while let Some(result) = operations.next().await {
        result??;
    }
    Ok(started.elapsed().as_secs_f64())
}

impl Store {
    async fn open(url: &str) -> Result<Self> {
        if let Some(path) = url.strip_prefix("file:") {
            return Ok(Self::Redb(Arc::new(Database::create(path)?)));
        }
        let (context, bucket) = connect(url).await?;
        let config = kv::Config { bucket: bucket.to_owned(), history: 1, ..Default::default() };
        Ok(Self::Nats(Box::new(context.create_key_value(config).await?)))
    }

    async fn perform(&self, set: bool, index: u64) -> Result<()> {
        let key = name(index % KEYS);
        if set { self.set(key, value(index)).await } else { self.get(key).await }
    }

    async fn get(&self, key: String) -> Result<()> {
        let found = match self {
            Self::Nats(store) => store.get(key).await?.map(|value| value.len()),
            Self::Redb(database) => {
                let table = database.begin_read()?.open_table(TABLE)?;
                table.get(key.as_str())?.map(|value| value.value().to_vec().len())
            }
        };
        ensure!(found == Some(SIZE), "a value of another size");
        Ok(())
    }

    async fn set(&self, key: String, value: Vec<u8>) -> Result<()> {
        match self {
            Self::Nats(store) => {
                store.put(key, value.into()).await?;
            }
            Self::Redb(database) => {
                let database = database.clone();
                tokio::task::spawn_blocking(move || {
                    let write = database.begin_write()?;
                    write.open_table(TABLE)?.insert(key.as_str(), value.as_slice())?;
                    anyhow::Ok(write.commit()?)
                })
                .await??;
            }
        }
        Ok(())
    }
}

fn name(key: u64) -> String {
    format!("key-{key}")
}

fn value(index: u64) -> Vec<u8> {
    let mut value = index.to_le_bytes().to_vec();
    value.resize(SIZE, b'.');
    value
}
