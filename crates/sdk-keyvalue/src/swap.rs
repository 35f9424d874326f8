//! Compare-and-swap: writing only onto the state that the new value was made from.

use crate::bindings::wasmcloud::keyvalue::cas;
use crate::{Bucket, Error};

/// Which state of an entry. Two are the same state if, and only if, they are equal; there is no order among them.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Version(String);

/// A value with its version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The value.
    pub value: Vec<u8>,
    /// Its version, which is another after each write.
    pub version: Version,
}

impl Entry {
    fn from_host(entry: cas::Entry) -> Self {
        Self { value: entry.value, version: Version(entry.version) }
    }
}

/// What must be so for a [swap](Bucket::swap) to be done: all that is given, and something must be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[must_use]
pub struct Expected {
    version: Option<Version>,
    value: Option<Vec<u8>>,
}

impl Expected {
    /// Nothing yet, which no swap takes.
    pub fn new() -> Self {
        Self::default()
    }

    /// The entry has this version.
    pub fn version(mut self, version: &Version) -> Self {
        self.version = Some(version.clone());
        self
    }

    /// The entry has this value, whatever it had in between.
    pub fn value(mut self, value: impl Into<Vec<u8>>) -> Self {
        self.value = Some(value.into());
        self
    }

    fn into_host(self) -> cas::CasOptions {
        cas::CasOptions { require_version: self.version.map(|version| version.0), require_value: self.value }
    }
}

/// What became of a [swap](Bucket::swap).
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub enum Swap {
    /// The value was written.
    Done,
    /// The entry is another, or none, and nothing was written: this is what it is now.
    Stale(Option<Entry>),
}

impl Bucket {
    /// The value of `key` with its version, to build a [swap](Self::swap) on, or `None` when there is none.
    ///
    /// # Errors
    /// When the host says so; see [`Error`].
    pub async fn entry(&self, key: impl Into<String>) -> Result<Option<Entry>, Error> {
        Ok(cas::current(&self.host, key.into()).await?.map(Entry::from_host))
    }

    /// Writes `value` under `key` if the entry is as `expected`. To try until it succeeds, use [`update`](Self::update).
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
    /// [`Error::InvalidArgument`] when nothing is expected. A state that is not the expected one is no error.
    pub async fn swap(
        &self,
        key: impl Into<String>,
        value: impl Into<Vec<u8>>,
        expected: Expected,
    ) -> Result<Swap, Error> {
        Ok(match cas::swap(&self.host, key.into(), value.into(), expected.into_host()).await? {
            cas::CasResult::Swapped => Swap::Done,
            cas::CasResult::Stale(entry) => Swap::Stale(entry.map(Entry::from_host)),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_expected_reaches_the_host() {
        let host = Expected::new().into_host();
        assert_eq!((host.require_version, host.require_value), (None, None));
        let host = Expected::new().version(&Version("7".to_owned())).value("a").into_host();
        assert_eq!((host.require_version.as_deref(), host.require_value.as_deref()), (Some("7"), Some(&b"a"[..])));
    }
}
