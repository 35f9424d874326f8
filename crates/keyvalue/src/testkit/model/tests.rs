//! The model finds what is wrong with a backend: stores with a flaw do not pass.

use std::time::Duration;

use futures::stream::BoxStream;
use proptest::strategy::Just;

use super::*;
use crate::{Change, MemoryStore};

#[derive(Clone, Copy, Debug, PartialEq)]
enum Flaw {
    /// Both stores are one.
    Shares,
    IgnoresCase,
    IgnoresAbsent,
    ForgetsDeletes,
    Loses,
}

struct Flawed {
    flaw: Flaw,
    inner: MemoryStore,
}

#[async_trait]
impl KeyValueStore for Flawed {
    async fn get(&self, key: &str) -> crate::Result<Option<Entry>> {
        let key = if self.flaw == Flaw::IgnoresCase { key.to_lowercase() } else { key.to_owned() };
        self.inner.get(&key).await
    }

    async fn set(
        &self,
        key: &str,
        value: Bytes,
        ttl: Option<Duration>,
        condition: Condition,
    ) -> crate::Result<Version> {
        let key = if self.flaw == Flaw::IgnoresCase { key.to_lowercase() } else { key.to_owned() };
        let condition = match (self.flaw, condition) {
            (Flaw::IgnoresAbsent, Condition::Absent) => Condition::Always,
            (_, condition) => condition,
        };
        self.inner.set(&key, value, ttl, condition).await
    }

    async fn delete(&self, key: &str) -> crate::Result<()> {
        if self.flaw == Flaw::ForgetsDeletes { Ok(()) } else { self.inner.delete(key).await }
    }

    async fn keys(&self, prefix: &str, after: Option<&str>, limit: usize) -> crate::Result<Vec<String>> {
        self.inner.keys(prefix, after, limit).await
    }

    async fn watch(&self) -> crate::Result<BoxStream<'static, crate::Result<Change>>> {
        self.inner.watch().await
    }
}

struct Two {
    flaw: Option<Flaw>,
    stores: [MemoryStore; 2],
}

#[async_trait]
impl Subject for Two {
    async fn open(&mut self) -> Result<Vec<Arc<dyn KeyValueStore>>> {
        if self.flaw == Some(Flaw::Loses) {
            self.stores = [(); 2].map(|()| MemoryStore::default());
        }
        let [one, other] = self.stores.clone();
        let other = if self.flaw == Some(Flaw::Shares) { one.clone() } else { other };
        let open = |inner| match self.flaw {
            Some(flaw) => Arc::new(Flawed { flaw, inner }) as Arc<dyn KeyValueStore>,
            None => Arc::new(inner),
        };
        Ok([one, other].map(open).to_vec())
    }
}

fn two(flaw: Option<Flaw>) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    run(&runtime, 100, Just(()), |()| Two { flaw, stores: [(); 2].map(|()| MemoryStore::default()) })
}

#[test]
fn what_is_right_passes() {
    two(None).unwrap();
}

#[test]
fn every_flaw_is_found() {
    for flaw in [Flaw::Shares, Flaw::IgnoresCase, Flaw::IgnoresAbsent, Flaw::ForgetsDeletes, Flaw::Loses] {
        let error = two(Some(flaw)).expect_err("a flaw passed").to_string();
        assert!(error.starts_with("Test failed: "), "{flaw:?}: {error}");
    }
}
