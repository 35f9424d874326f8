//! Increments and swaps, built on reads and conditional writes.

use std::fmt::Display;
use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::str::FromStr;
use std::time::Duration;

use bytes::Bytes;

use crate::bucket::Bucket;
use crate::{Condition, Entry, Error, ErrorKind, Result, Version};

/// Maximum attempts. Each failed attempt means that another writer succeeded, so only an entry under constant writes
/// gets here.
const MAX_ATTEMPTS: u32 = 1000;
/// Maximum pause between attempts, in microseconds.
const MAX_PAUSE_MICROS: u64 = 20_000;

/// Number types of counters.
pub(crate) trait Counter: Copy + Display + FromStr + Send + Sync {
    const ZERO: Self;
    fn add(self, delta: Self) -> Option<Self>;
}

impl Counter for u64 {
    const ZERO: Self = 0;
    fn add(self, delta: Self) -> Option<Self> {
        self.checked_add(delta)
    }
}

impl Counter for i64 {
    const ZERO: Self = 0;
    fn add(self, delta: Self) -> Option<Self> {
        self.checked_add(delta)
    }
}

/// Conditions of a swap. Without any, every entry matches.
#[derive(Clone, Debug, Default)]
pub(crate) struct Required {
    pub(crate) version: Option<String>,
    pub(crate) value: Option<Vec<u8>>,
}

/// Result of a swap.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Swap {
    Done,
    /// Not written: the current entry differs.
    Stale(Option<Entry>),
}

impl Bucket {
    /// Adds `delta` to the decimal number under `key` and returns the sum.
    pub(crate) async fn increment<N: Counter>(&self, key: &str, delta: N) -> Result<N> {
        self.limits.check_key(key)?;
        let mut tries = Backoff::default();
        loop {
            let mut call = self.arguments(key.len())?;
            let entry = self.entry(&mut call, key).await?;
            let sum = sum(entry.as_ref(), delta)?;
            let condition = entry.map_or(Condition::Absent, |entry| Condition::Version(entry.version));
            if self.write(key, sum.to_string().into(), condition).await?.is_some() {
                return Ok(sum);
            }
            tries.another().await?;
        }
    }

    /// Replaces an entry that matches `required`.
    pub(crate) async fn swap(&self, key: &str, value: Vec<u8>, required: &Required) -> Result<Swap> {
        self.limits.check_value(&value)?;
        if required.version.is_none() && required.value.is_none() {
            return Err(Error::new(ErrorKind::InvalidArgument, "a swap requires a version or a value"));
        }
        self.limits.check_key(key)?;
        let version = required.version.as_ref().map_or(0, String::len);
        let compared = required.value.as_ref().map_or(version, |value| value.len().saturating_add(version));
        let mut call = self.arguments(key.len().saturating_add(value.len()).saturating_add(compared))?;
        let given = call.bytes();
        let value = Bytes::from(value);
        let mut tries = Backoff::default();
        loop {
            call.shrink(call.bytes().saturating_sub(given));
            let version = match self.entry(&mut call, key).await? {
                Some(entry) if required.holds(&entry) => entry.version,
                other => return Ok(Swap::Stale(other)),
            };
            if self.write(key, value.clone(), Condition::Version(version)).await?.is_some() {
                return Ok(Swap::Done);
            }
            // The entry changed meanwhile. If only the value is required and equal again, retry.
            tries.another().await?;
        }
    }

    /// Returns the version of the entry under `key`.
    pub(crate) async fn version(&self, key: &str) -> Result<Option<Version>> {
        Ok(self.current(key).await?.map(|entry| entry.version))
    }

    /// Writes `value` if the entry has `version`, or, with `None`, if there is no entry. Returns whether it was
    /// written.
    pub(crate) async fn write_over(&self, key: &str, value: Vec<u8>, version: Option<Version>) -> Result<bool> {
        self.limits.check_key(key)?;
        self.limits.check_value(&value)?;
        let _call = self.arguments(key.len().saturating_add(value.len()))?;
        let condition = version.map_or(Condition::Absent, Condition::Version);
        Ok(self.write(key, value.into(), condition).await?.is_some())
    }

    /// `None` if the condition did not hold.
    async fn write(&self, key: &str, value: Bytes, condition: Condition) -> Result<Option<Version>> {
        match self.store.set(key, value, None, condition).await {
            Ok(version) => Ok(Some(version)),
            Err(error) if error.kind() == ErrorKind::PreconditionFailed => Ok(None),
            Err(error) => Err(error),
        }
    }
}

impl Required {
    fn holds(&self, entry: &Entry) -> bool {
        self.version.as_ref().is_none_or(|version| *version == entry.version.to_string())
            && self.value.as_ref().is_none_or(|value| *value == entry.value)
    }
}

fn sum<N: Counter>(entry: Option<&Entry>, delta: N) -> Result<N> {
    let number = match entry {
        Some(entry) => std::str::from_utf8(&entry.value).ok().and_then(|text| text.parse().ok()).ok_or_else(|| {
            Error::new(ErrorKind::InvalidArgument, "the value is not a number that can be incremented")
        })?,
        None => N::ZERO,
    };
    number.add(delta).ok_or_else(|| Error::new(ErrorKind::InvalidArgument, "the sum is out of the number's range"))
}

/// Counts attempts and pauses between them, with exponential backoff and jitter.
#[derive(Default)]
struct Backoff(u32);

impl Backoff {
    async fn another(&mut self) -> Result<()> {
        self.0 = self.0.saturating_add(1);
        if self.0 >= MAX_ATTEMPTS {
            let message = "too many concurrent writes of the entry; nothing was written";
            return Err(Error::new(ErrorKind::Unavailable, message));
        }
        // The standard library's only random numbers are a hasher's keys.
        let random = RandomState::new().build_hasher().finish();
        let longest = 100u64.checked_shl(self.0.min(16)).unwrap_or(u64::MAX).min(MAX_PAUSE_MICROS);
        tokio::time::sleep(Duration::from_micros(random.checked_rem(longest).unwrap_or(0))).await;
        Ok(())
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
        let version = bucket.version("k").await.unwrap().unwrap().to_string();
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
        let now = bucket.version("k").await.unwrap().unwrap().to_string();
        let both = Required { version: Some(now), value: Some("a".into()) };
        assert!(matches!(bucket.swap("k", "d".into(), &both).await, Ok(Swap::Stale(Some(_)))));
        let nonsense = Required { version: Some("no version".into()), value: None };
        assert!(matches!(bucket.swap("k", "d".into(), &nonsense).await, Ok(Swap::Stale(Some(_)))));
        assert_eq!(bucket.swap("absent", "d".into(), &nonsense).await, Ok(Swap::Stale(None)));
        assert_eq!(bucket.get("k").await.unwrap().unwrap(), b"c");
    }
}
