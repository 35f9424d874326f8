//! `Bucket` and its operations on one entry.

use std::fmt;

use crate::bindings::wasmcloud::keyvalue::{atomics, store, types};
use crate::{Error, SetOptions};

/// A bucket of keys and values. Entries outlive the component, unless the host's store is in memory.
///
/// A write returns once the host's store has accepted it, and a component reads its own writes. Dropping a call's
/// future cancels the call; whether a cancelled write took effect is unknown.
///
/// ```no_run
/// # async fn example() -> Result<(), tempo_sdk_keyvalue::Error> {
/// use tempo_sdk_keyvalue::Bucket;
///
/// let bucket = Bucket::open("default").await?;
/// bucket.set("greeting", "Hello").await?;
/// assert_eq!(bucket.get("greeting").await?.as_deref(), Some(&b"Hello"[..]));
/// # Ok(())
/// # }
/// ```
pub struct Bucket {
    pub(crate) host: types::Bucket,
}

impl Bucket {
    /// Opens the bucket with the host's name `name`. Hosts provide `default` unless they are configured otherwise.
    ///
    /// # Errors
    /// Returns [`Error::NoSuchStore`] if the host has no store of that name for this component.
    pub async fn open(name: impl Into<String>) -> Result<Self, Error> {
        Ok(Self { host: store::open(name.into()).await? })
    }

    /// Returns the value of `key`, or `None` if there is no entry.
    ///
    /// # Errors
    /// Returns the host's error; see [`Error`].
    pub async fn get(&self, key: impl Into<String>) -> Result<Option<Vec<u8>>, Error> {
        Ok(self.host.get(key.into()).await?)
    }

    /// Returns the value of `key` as text, or `None` if there is no entry.
    ///
    /// # Errors
    /// As [`get`](Self::get), and [`Error::Decode`] if the value is not UTF-8.
    pub async fn get_string(&self, key: impl Into<String>) -> Result<Option<String>, Error> {
        self.get(key).await?.map(text).transpose()
    }

    /// Writes `value` under `key` without a TTL, and replaces an existing entry.
    ///
    /// # Errors
    /// Returns [`Error::InvalidArgument`] if the store does not allow the key or the value.
    pub async fn set(&self, key: impl Into<String>, value: impl Into<Vec<u8>>) -> Result<(), Error> {
        Ok(self.host.set(key.into(), value.into(), None).await?)
    }

    /// Writes `value` under `key` with a TTL, or only if there is no entry.
    ///
    /// ```no_run
    /// # async fn example(bucket: tempo_sdk_keyvalue::Bucket) -> Result<bool, tempo_sdk_keyvalue::Error> {
    /// use std::time::Duration;
    /// use tempo_sdk_keyvalue::{Error, SetOptions};
    ///
    /// // A lock that expires.
    /// match bucket.set_with("lock", "me", SetOptions::new().ttl(Duration::from_secs(30)).if_absent()).await {
    ///     Ok(()) => Ok(true),
    ///     Err(Error::PreconditionFailed) => Ok(false),
    ///     Err(error) => Err(error),
    /// }
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`set`](Self::set), and [`Error::PreconditionFailed`] if [`SetOptions::if_absent`] is set and there is an
    /// entry.
    pub async fn set_with(
        &self,
        key: impl Into<String>,
        value: impl Into<Vec<u8>>,
        options: SetOptions,
    ) -> Result<(), Error> {
        Ok(self.host.set(key.into(), value.into(), Some(options.to_host())).await?)
    }

    /// Deletes the entry under `key`, if there is one.
    ///
    /// # Errors
    /// Returns the host's error; see [`Error`].
    pub async fn delete(&self, key: impl Into<String>) -> Result<(), Error> {
        Ok(self.host.delete(key.into()).await?)
    }

    /// Returns whether there is an entry under `key`.
    ///
    /// # Errors
    /// Returns the host's error; see [`Error`].
    pub async fn exists(&self, key: impl Into<String>) -> Result<bool, Error> {
        Ok(self.host.exists(key.into()).await?)
    }

    /// Adds `delta` to the integer under `key`, 0 if there is no entry, and returns the sum. Concurrent increments are
    /// never lost. An entry keeps its TTL, and a new one has none: for a counter that expires, create it with
    /// [`set_with`](Self::set_with), a TTL and `if_absent`.
    ///
    /// # Errors
    /// Returns an error if the value is not a decimal integer, or if the sum overflows `i64`; the entry is then
    /// unchanged.
    pub async fn increment(&self, key: impl Into<String>, delta: i64) -> Result<i64, Error> {
        Ok(atomics::increment(&self.host, key.into(), delta).await?)
    }
}

impl fmt::Debug for Bucket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bucket").finish_non_exhaustive()
    }
}

fn text(value: Vec<u8>) -> Result<String, Error> {
    String::from_utf8(value).map_err(|error| Error::Decode(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_utf_8() {
        assert_eq!(text("\u{e4}".into()), Ok("\u{e4}".to_owned()));
        assert!(matches!(text(vec![0xff]), Err(Error::Decode(_))));
    }

    /// Frameworks such as axum require `Send` futures of every handler.
    #[test]
    fn futures_are_send() {
        fn send<T: Send>(_: impl FnOnce(&'static Bucket) -> T) {}
        send(|bucket| bucket.get("key"));
        send(|bucket| bucket.set("key", "value"));
        send(|bucket| bucket.swap("key", "value", crate::Expected::new()));
        send(|bucket| bucket.update("key", |_| Some("value")));
        send(|bucket| bucket.update_with("key", crate::UpdateOptions::new(), |_| Some("value")));
        send(|bucket| bucket.keys(""));
        send(|bucket| bucket.get_many(["key"]));
    }
}
