//! Batches: several reads or writes in one operation of the guest, with bounded concurrency.

use futures::{StreamExt as _, TryStreamExt as _, stream};

use crate::bucket::Bucket;
use crate::limits::ELEMENT_OVERHEAD_BYTES;
use crate::{Condition, Result};

/// Maximum concurrent operations per batch.
const MAX_CONCURRENT_OPERATIONS: usize = 16;

/// A key with its value.
pub(crate) type Pair = (String, Vec<u8>);

impl Bucket {
    /// Reads the entries under `keys`, in order.
    pub(crate) async fn get_many(&self, keys: Vec<String>) -> Result<Vec<Option<Pair>>> {
        self.measure("get-many", self.read_all(keys)).await
    }

    async fn read_all(&self, keys: Vec<String>) -> Result<Vec<Option<Pair>>> {
        keys.iter().try_for_each(|key| self.limits.check_key(key))?;
        let mut call = self.arguments(size(&keys))?;
        let at_once = keys.len().min(MAX_CONCURRENT_OPERATIONS);
        // For concurrent reads; results are added one by one.
        let reserved = self.answer(&mut call, at_once.saturating_mul(self.limits.value)).await?;
        let at_once = reserved.checked_div(self.limits.value).unwrap_or(at_once).clamp(1, MAX_CONCURRENT_OPERATIONS);
        let mut room = self.limits.room();
        let mut pairs = Vec::new();
        let mut found = stream::iter(keys).map(|key| self.pair(key)).buffered(at_once);
        while let Some(pair) = found.try_next().await? {
            let size = pair.as_ref().map_or(0, |(key, value)| key.len().saturating_add(value.len()));
            room.take(size)?;
            call.try_grow(size)?;
            pairs.push(pair);
        }
        Ok(pairs)
    }

    async fn pair(&self, key: String) -> Result<Option<Pair>> {
        Ok(self.read(&key).await?.map(|entry| (key, entry.value.into())))
    }

    /// Writes all `pairs`, or nothing if one is invalid.
    pub(crate) async fn set_many(&self, pairs: Vec<Pair>) -> Result<()> {
        self.measure("set-many", self.write_all(pairs)).await
    }

    async fn write_all(&self, pairs: Vec<Pair>) -> Result<()> {
        for (key, value) in &pairs {
            self.limits.check_key(key)?;
            self.limits.check_value(value)?;
        }
        let size = |(key, value): &Pair| key.len().saturating_add(value.len()).saturating_add(ELEMENT_OVERHEAD_BYTES);
        let _call = self.arguments(pairs.iter().map(size).fold(0, usize::saturating_add))?;
        let write =
            async |(key, value): Pair| self.store.set(&key, value.into(), None, Condition::Always).await.map(drop);
        let writes = stream::iter(pairs).map(write);
        writes.buffered(MAX_CONCURRENT_OPERATIONS).try_collect().await
    }

    /// Deletes the entries under `keys`, or nothing if one is invalid.
    pub(crate) async fn delete_many(&self, keys: Vec<String>) -> Result<()> {
        self.measure("delete-many", self.delete_all(keys)).await
    }

    async fn delete_all(&self, keys: Vec<String>) -> Result<()> {
        keys.iter().try_for_each(|key| self.limits.check_key(key))?;
        let _call = self.arguments(size(&keys))?;
        let deletes = stream::iter(keys).map(|key| async move { self.store.delete(&key).await });
        deletes.buffered(MAX_CONCURRENT_OPERATIONS).try_collect().await
    }
}

/// Memory of a list of keys.
fn size(keys: &[String]) -> usize {
    keys.iter().map(|key| key.len().saturating_add(ELEMENT_OVERHEAD_BYTES)).fold(0, usize::saturating_add)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tempo_backend::ByteBudget;
    use tempo_core::Limits;

    use super::*;
    use crate::{KeyValueLimits, MemoryStore};

    fn bucket(answer: usize) -> Bucket {
        let limits = KeyValueLimits { answer, ..KeyValueLimits::new(&Limits::default()) };
        Bucket::new(Arc::new(MemoryStore::default()), limits, ByteBudget::new(32 << 20))
    }

    fn keys(count: usize) -> Vec<String> {
        (0..count).map(|number| format!("key {number}")).collect()
    }

    #[tokio::test]
    async fn many_in_order() {
        let bucket = bucket(1 << 20);
        let pairs: Vec<Pair> = keys(100).into_iter().map(|key| (key.clone(), key.into_bytes())).collect();
        bucket.set_many(pairs.clone()).await.unwrap();
        let mut asked = keys(100);
        asked.insert(50, "absent".into());
        let mut found = bucket.get_many(asked).await.unwrap();
        assert_eq!(found.remove(50), None);
        assert_eq!(found.into_iter().flatten().collect::<Vec<_>>(), pairs);
        bucket.delete_many(keys(99)).await.unwrap();
        assert_eq!(bucket.list("", None).await.unwrap().keys, ["key 99"]);
    }

    #[tokio::test]
    async fn one_that_is_not_allowed_stops_all() {
        let bucket = bucket(1 << 20);
        assert!(bucket.set_many(vec![("a".into(), vec![1]), (String::new(), vec![1])]).await.is_err());
        assert!(!bucket.exists("a").await.unwrap());
        bucket.set("a", vec![1]).await.unwrap();
        assert!(bucket.delete_many(vec!["a".into(), "k".repeat(513)]).await.is_err());
        assert!(bucket.exists("a").await.unwrap());
        assert!(bucket.get_many(vec!["a".into(), String::new()]).await.is_err());
    }

    #[tokio::test]
    async fn answers_at_the_edge() {
        // Each pair takes 1 + 9 + 32 bytes.
        for (answer, fits) in [(83, false), (84, true), (85, true)] {
            let bucket = bucket(answer);
            bucket.set_many(vec![("a".into(), vec![0; 9]), ("b".into(), vec![0; 9])]).await.unwrap();
            assert_eq!(bucket.get_many(vec!["a".into(), "b".into()]).await.is_ok(), fits, "{answer}");
        }
    }
}
