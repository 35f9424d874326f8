//! Compare-and-swap: writes that take effect only on an expected state of the entry.

use crate::bindings::tempo::keyvalue::lifetimes;
use crate::bindings::wasmcloud::keyvalue::cas;
use crate::{Bucket, Error, UpdateOptions};

/// The version of an entry. Two versions are equal if and only if the entry is in the same state; versions have no
/// order.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Version(String);

/// A value with its version.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Entry {
    /// The value.
    pub value: Vec<u8>,
    /// The version, which changes with each write.
    pub version: Version,
}

impl Entry {
    fn from_host(entry: cas::Entry) -> Self {
        Self { value: entry.value, version: Version(entry.version) }
    }
}

/// The expected state of an entry for a [swap](Bucket::swap). All conditions that are set must hold, and at least one
/// must be set.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[must_use]
pub struct Expected {
    version: Option<Version>,
    value: Option<Vec<u8>>,
}

impl Expected {
    /// Creates an expectation without conditions, which `swap` rejects.
    pub fn new() -> Self {
        Self::default()
    }

    /// Requires the entry to have this version.
    pub fn version(mut self, version: &Version) -> Self {
        self.version = Some(version.clone());
        self
    }

    /// Requires the entry to have this value, in any version.
    pub fn value(mut self, value: impl Into<Vec<u8>>) -> Self {
        self.value = Some(value.into());
        self
    }

    fn into_host(self) -> cas::CasOptions {
        cas::CasOptions { require_version: self.version.map(|version| version.0), require_value: self.value }
    }
}

impl Swap {
    fn from_host(result: cas::CasResult) -> Self {
        match result {
            cas::CasResult::Swapped => Self::Done,
            cas::CasResult::Stale(entry) => Self::Stale(entry.map(Entry::from_host)),
        }
    }
}

/// The result of a [swap](Bucket::swap).
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub enum Swap {
    /// The value was written.
    Done,
    /// The entry did not match, and nothing was written. Holds the current entry, or `None` if there is none.
    Stale(Option<Entry>),
}

impl Bucket {
    /// Returns the value of `key` with its version, for a [swap](Self::swap), or `None` if there is no entry.
    ///
    /// # Errors
    /// Returns the host's error; see [`Error`].
    pub async fn entry(&self, key: impl Into<String>) -> Result<Option<Entry>, Error> {
        Ok(cas::current(&self.host, key.into()).await?.map(Entry::from_host))
    }

    /// Writes `value` under `key` if the entry matches `expected`. [`update`](Self::update) retries until the swap
    /// succeeds. The written entry has no TTL, even if the old one had one; [`swap_with`](Self::swap_with) can keep it.
    ///
    /// ```no_run
    /// # async fn example(bucket: tempo_sdk_keyvalue::Bucket) -> Result<(), tempo_sdk_keyvalue::Error> {
    /// use tempo_sdk_keyvalue::{Expected, Swap};
    ///
    /// if let Some(entry) = bucket.entry("state").await? {
    ///     match bucket.swap("state", "next", Expected::new().version(&entry.version)).await? {
    ///         Swap::Done => println!("it was {:?}", entry.value),
    ///         Swap::Stale(now) => println!("someone was faster: {now:?}"),
    ///     }
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Returns [`Error::InvalidArgument`] if `expected` has no condition. An entry that does not match is not an error.
    pub async fn swap(
        &self,
        key: impl Into<String>,
        value: impl Into<Vec<u8>>,
        expected: Expected,
    ) -> Result<Swap, Error> {
        Ok(Swap::from_host(cas::swap(&self.host, key.into(), value.into(), expected.into_host()).await?))
    }

    /// Like [`swap`](Self::swap), with a TTL: the old one or another. The component then imports `tempo:keyvalue@0.1.0`.
    ///
    /// # Errors
    /// As [`swap`](Self::swap), and [`Error::InvalidArgument`] if the TTL is zero, or the store has no TTLs.
    pub async fn swap_with(
        &self,
        key: impl Into<String>,
        value: impl Into<Vec<u8>>,
        expected: Expected,
        options: UpdateOptions,
    ) -> Result<Swap, Error> {
        let (expected, lifetime) = (expected.into_host(), options.to_host());
        Ok(Swap::from_host(lifetimes::swap(&self.host, key.into(), value.into(), expected, lifetime).await?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conditions_reach_the_host() {
        let host = Expected::new().into_host();
        assert_eq!((host.require_version, host.require_value), (None, None));
        let host = Expected::new().version(&Version("7".to_owned())).value("a").into_host();
        assert_eq!((host.require_version.as_deref(), host.require_value.as_deref()), (Some("7"), Some(&b"a"[..])));
    }
}
