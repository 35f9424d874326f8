//! Increments and compare-and-swap.

use std::time::Duration;

use bytes::Bytes;
use tempo_keyvalue::{Backoff, Increment};

use crate::bucket::Bucket;
use crate::{Condition, Entry, Error, ErrorKind, Result, Version};

/// Conditions of a swap. Without any, every entry matches.
#[derive(Clone, Debug, Default)]
pub(crate) struct Required {
    pub(crate) version: Option<String>,
    pub(crate) value: Option<Vec<u8>>,
}

/// The lifetime of an entry after a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lifetime {
    /// The entry never expires.
    Endless,
    /// The entry expires when it would have expired without the write.
    Kept,
    /// The entry expires after this number of milliseconds.
    Millis(u64),
}

/// Result of a swap.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Swap {
    Done,
    /// Not written: the current entry differs.
    Stale(Option<Entry>),
}

/// Result of a write over a version.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum WriteOver {
    Done,
    /// Not written: the entry has another version, or there is none.
    Stale(Option<Version>),
}

impl Bucket {
    /// Adds `delta` to the decimal number under `key` and returns the sum.
    pub(crate) async fn increment<N: Into<Increment> + TryFrom<i128>>(&self, key: &str, delta: N) -> Result<N> {
        let increment = async {
            let _call = self.look(key).await?;
            let sum = self.store.increment(key, delta.into()).await?;
            N::try_from(sum).map_err(|_| Error::new(ErrorKind::Other, "the store returned a sum that is out of range"))
        };
        self.measure("increment", increment).await
    }

    /// Replaces an entry that matches `required` by one that never expires.
    pub(crate) async fn swap(&self, key: &str, value: Vec<u8>, required: &Required) -> Result<Swap> {
        self.swap_with(key, value, required, Lifetime::Endless).await
    }

    /// Replaces an entry that matches `required` by one with this lifetime.
    pub(crate) async fn swap_with(
        &self,
        key: &str,
        value: Vec<u8>,
        required: &Required,
        lifetime: Lifetime,
    ) -> Result<Swap> {
        self.measure("swap", self.replace(key, value, required, lifetime)).await
    }

    async fn replace(&self, key: &str, value: Vec<u8>, required: &Required, lifetime: Lifetime) -> Result<Swap> {
        self.limits.check_value(&value)?;
        if lifetime == Lifetime::Millis(0) {
            return Err(no_lifetime());
        }
        if required.version.is_none() && required.value.is_none() {
            return Err(Error::new(ErrorKind::InvalidArgument, "a swap requires a version or a value"));
        }
        self.limits.check_key(key)?;
        let version = required.version.as_ref().map_or(0, String::len);
        let compared = required.value.as_ref().map_or(version, |value| value.len().saturating_add(version));
        let mut call = self.arguments(key.len().saturating_add(value.len()).saturating_add(compared))?;
        let given = call.bytes();
        let value = Bytes::from(value);
        let mut backoff = Backoff::default();
        loop {
            call.shrink(call.bytes().saturating_sub(given));
            let version = match self.entry(&mut call, key).await? {
                Some(entry) if required.holds(&entry) => entry.version,
                other => return Ok(Swap::Stale(other)),
            };
            let write = match lifetime {
                Lifetime::Kept => self.store.replace(key, value.clone(), version).await,
                Lifetime::Endless => self.store.set(key, value.clone(), None, Condition::Version(version)).await,
                Lifetime::Millis(millis) => {
                    let ttl = Some(Duration::from_millis(millis));
                    self.store.set(key, value.clone(), ttl, Condition::Version(version)).await
                }
            };
            if held(write)? {
                return Ok(Swap::Done);
            }
            // The entry changed meanwhile. If only the value is required and equal again, retry.
            backoff.pause().await?;
        }
    }

    /// Begins a compare-and-swap: returns the version of the entry under `key`.
    pub(crate) async fn cas(&self, key: &str) -> Result<Option<Version>> {
        self.measure("cas", self.version(key)).await
    }

    /// Writes `value` if the entry has `version`, or, with `None`, if there is no entry.
    pub(crate) async fn write_over(&self, key: &str, value: Vec<u8>, version: Option<Version>) -> Result<WriteOver> {
        let write = async {
            self.limits.check_key(key)?;
            self.limits.check_value(&value)?;
            let call = self.arguments(key.len().saturating_add(value.len()))?;
            let condition = version.map_or(Condition::Absent, Condition::Version);
            if held(self.store.set(key, value.into(), None, condition).await)? {
                return Ok(WriteOver::Done);
            }
            drop(call);
            Ok(WriteOver::Stale(self.version(key).await?))
        };
        self.measure("swap", write).await
    }

    async fn version(&self, key: &str) -> Result<Option<Version>> {
        let _call = self.look(key).await?;
        self.store.head(key).await
    }
}

/// Returns whether the condition of a write held, and so whether the value was written.
fn held(written: Result<Version>) -> Result<bool> {
    match written {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == ErrorKind::PreconditionFailed => Ok(false),
        Err(error) => Err(error),
    }
}

/// The error of a TTL of 0.
pub(crate) fn no_lifetime() -> Error {
    Error::new(ErrorKind::InvalidArgument, "an entry lives for at least one millisecond")
}

impl Required {
    fn holds(&self, entry: &Entry) -> bool {
        self.version.as_ref().is_none_or(|version| *version == entry.version.to_string())
            && self.value.as_ref().is_none_or(|value| *value == entry.value)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use futures::future::join_all;
    use tempo_backend::ByteBudget;
    use tempo_core::Limits;

    use super::*;
    use crate::{KeyValueLimits, MemoryStore};

    fn bucket() -> Bucket {
        let limits = KeyValueLimits::new(&Limits::default());
        Bucket::new(Arc::new(MemoryStore::default()), limits, ByteBudget::new(32 << 20))
    }

    #[tokio::test]
    async fn counters() {
        let bucket = bucket();
        assert_eq!(bucket.increment("n", 5u64).await, Ok(5));
        assert_eq!(bucket.increment("n", -7i64).await, Ok(-2));
        assert_eq!(bucket.get("n").await.unwrap().unwrap(), b"-2");
        // A negative number is none for an unsigned counter, and is left alone.
        assert_eq!(bucket.increment("n", 1u64).await.unwrap_err().kind(), ErrorKind::InvalidArgument);
        assert_eq!(bucket.increment("n", 2i64).await, Ok(0));
    }

    #[tokio::test]
    async fn counters_at_the_edge() {
        let bucket = bucket();
        bucket.set("n", (u64::MAX - 1).to_string().into()).await.unwrap();
        assert_eq!(bucket.increment("n", 1u64).await, Ok(u64::MAX));
        assert!(bucket.increment("n", 1u64).await.is_err());
        assert_eq!(bucket.get("n").await.unwrap().unwrap(), u64::MAX.to_string().into_bytes());
        for wrong in ["", "x", "1.5", " 1", "1 ", "0x10"] {
            bucket.set("n", wrong.into()).await.unwrap();
            assert!(bucket.increment("n", 1i64).await.is_err(), "{wrong}");
            assert_eq!(bucket.get("n").await.unwrap().unwrap(), wrong.as_bytes());
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn concurrent_increments_are_all_counted() {
        let bucket = bucket();
        let tasks = (0..32).map(|_| {
            let bucket = bucket.clone();
            tokio::spawn(async move {
                for _ in 0..20 {
                    bucket.increment("n", 1u64).await.unwrap();
                }
            })
        });
        for task in join_all(tasks).await {
            task.unwrap();
        }
        assert_eq!(bucket.get("n").await.unwrap().unwrap(), b"640");
    }

    #[tokio::test]
    async fn a_swap_needs_something_to_go_by() {
        let error = bucket().swap("k", Vec::new(), &Required::default()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidArgument);
    }

    #[tokio::test]
    async fn a_swap_by_version_sees_a_value_that_came_back() {
        let bucket = bucket();
        bucket.set("k", "a".into()).await.unwrap();
        let version = bucket.cas("k").await.unwrap().unwrap().to_string();
        bucket.set("k", "b".into()).await.unwrap();
        bucket.set("k", "a".into()).await.unwrap();
        let by_version = Required { version: Some(version), value: None };
        let Swap::Stale(Some(entry)) = bucket.swap("k", "c".into(), &by_version).await.unwrap() else {
            panic!("an old version was swapped");
        };
        assert_eq!(entry.value, "a");
        let by_value = Required { version: None, value: Some("a".into()) };
        assert_eq!(bucket.swap("k", "c".into(), &by_value).await, Ok(Swap::Done));
        assert!(matches!(bucket.swap("k", "d".into(), &by_value).await, Ok(Swap::Stale(Some(_)))));
        let now = bucket.cas("k").await.unwrap().unwrap().to_string();
        let both = Required { version: Some(now), value: Some("a".into()) };
        assert!(matches!(bucket.swap("k", "d".into(), &both).await, Ok(Swap::Stale(Some(_)))));
        let nonsense = Required { version: Some("no version".into()), value: None };
        assert!(matches!(bucket.swap("k", "d".into(), &nonsense).await, Ok(Swap::Stale(Some(_)))));
        assert_eq!(bucket.swap("absent", "d".into(), &nonsense).await, Ok(Swap::Stale(None)));
        assert_eq!(bucket.get("k").await.unwrap().unwrap(), b"c");
    }
}
