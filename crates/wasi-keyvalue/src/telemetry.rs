//! Spans and metrics of store operations, as a decorator of stores.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;
use tempo_telemetry::{Operations, Telemetry};

use crate::{Change, Condition, Entry, Error, KeyValueStore, Result, Version};

/// Records spans and metrics of the operations of a store.
struct InstrumentedStore {
    store: Arc<dyn KeyValueStore>,
    operations: Operations,
}

/// Instruments `store`, which has this `name` and the scheme `system`.
pub(crate) fn instrument(
    telemetry: &Telemetry,
    system: &str,
    name: &str,
    store: Arc<dyn KeyValueStore>,
) -> Arc<dyn KeyValueStore> {
    if !telemetry.is_on() {
        return store;
    }
    Arc::new(InstrumentedStore { store, operations: Operations::new(telemetry, system, name) })
}

fn word(error: &Error) -> &'static str {
    error.kind().name()
}

#[async_trait]
impl KeyValueStore for InstrumentedStore {
    async fn get(&self, key: &str) -> Result<Option<Entry>> {
        self.operations.instrument("get", word, self.store.get(key)).await
    }

    async fn set(&self, key: &str, value: Bytes, ttl: Option<Duration>, condition: Condition) -> Result<Version> {
        self.operations.instrument("set", word, self.store.set(key, value, ttl, condition)).await
    }

    async fn delete(&self, key: &str) -> Result<()> {
        self.operations.instrument("delete", word, self.store.delete(key)).await
    }

    async fn keys(&self, prefix: &str, after: Option<&str>, limit: usize) -> Result<Vec<String>> {
        self.operations.instrument("keys", word, self.store.keys(prefix, after, limit)).await
    }

    async fn watch(&self) -> Result<BoxStream<'static, Result<Change>>> {
        self.operations.instrument("watch", word, self.store.watch()).await
    }
}
