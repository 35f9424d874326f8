//! A bucket, and what is done with one entry of it.

use std::fmt;

use crate::bindings::wasmcloud::keyvalue::{atomics, store, types};
use crate::{Error, SetOptions};

/// Keys with their values, which outlive the component (unless the host's store is one that forgets).
///
/// A success is reported once the host's store has it, and a component reads what it has written. Dropping a call's future
/// cancels it; whether a write was done is then not known.
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
    /// Opens the bucket that the host knows as `name`. `default` is there unless the one who runs the component decided
    /// otherwise.
    ///
    /// # Errors
    /// [`Error::NoSuchStore`] when the host has none of that name for this component.
    pub async fn open(name: impl Into<String>) -> Result<Self, Error> {
        Ok(Self { host: store::open(name.into()).await? })
    }

    /// The value of `key`, or `None` when there is none.
    ///
    /// # Errors
    /// When the host says so; see [`Error`].
    pub async fn get(&self, key: impl Into<String>) -> Result<Option<Vec<u8>>, Error> {
        Ok(self.host.get(key.into()).await?)
    }

    /// The value of `key` as text, or `None` when there is none.
    ///
    /// # Errors
    /// As [`get`](Self::get); [`Error::Decode`] when the value is not UTF-8.
    pub async fn get_string(&self, key: impl Into<String>) -> Result<Option<String>, Error> {
        self.get(key).await?.map(text).transpose()
    }

    /// Writes `value` under `key`, over any that is there and for ever.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] when the key or the value is not allowed.
    pub async fn set(&self, key: impl Into<String>, value: impl Into<Vec<u8>>) -> Result<(), Error> {
        Ok(self.host.set(key.into(), value.into(), None).await?)
    }

    /// Writes `value` under `key` with a lifetime, or only where nothing is.
    ///
    /// ```no_run
    /// # async fn example(bucket: tempo_sdk_keyvalue::Bucket) -> Result<bool, tempo_sdk_keyvalue::Error> {
    /// use std::time::Duration;
    /// use tempo_sdk_keyvalue::{Error, SetOptions};
    ///
    /// // A lock that frees itself.
    /// match bucket.set_with("lock", "me", SetOptions::new().ttl(Duration::from_secs(30)).if_absent()).await {
    ///     Ok(()) => Ok(true),
    ///     Err(Error::PreconditionFailed) => Ok(false),
    ///     Err(error) => Err(error),
    /// }
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`set`](Self::set); [`Error::PreconditionFailed`] when the write was to be done only if there is no entry, and there
    /// is one.
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
    /// When the host says so; see [`Error`].
    pub async fn delete(&self, key: impl Into<String>) -> Result<(), Error> {
        Ok(self.host.delete(key.into()).await?)
    }

    /// Whether there is an entry under `key`.
    ///
    /// # Errors
    /// When the host says so; see [`Error`].
    pub async fn exists(&self, key: impl Into<String>) -> Result<bool, Error> {
        Ok(self.host.exists(key.into()).await?)
    }

    /// Adds `delta` to the number under `key`, from 0 if there is none, and returns the sum. None of many that count at once is
    /// lost.
    ///
    /// # Errors
    /// When what is there is no number, or the sum is none of 64 bits; then it stays as it was.
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

    /// Frameworks such as axum ask it of every handler.
    #[test]
    fn futures_are_send() {
        fn send<T: Send>(_: impl FnOnce(&'static Bucket) -> T) {}
        send(|bucket| bucket.get("key"));
        send(|bucket| bucket.set("key", "value"));
        send(|bucket| bucket.swap("key", "value", crate::Expected::new()));
        send(|bucket| bucket.update("key", |_| Some("value")));
        send(|bucket| bucket.keys(""));
        send(|bucket| bucket.get_many(["key"]));
    }
}
