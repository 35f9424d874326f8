//! Read-modify-write: `update` calls a function and swaps, and retries if another writer was faster.

use crate::{Bucket, Error, Expected, SetOptions, Swap, UpdateOptions};

impl Bucket {
    /// Changes the value of `key` with `change`, which receives the current value (`None` if there is no entry) and
    /// returns the new one, or `None` to leave the entry unchanged. Returns the written value.
    ///
    /// Concurrent writes are never lost: if the entry has changed, `change` is called again with the current value. In
    /// each round at least one writer succeeds. The written entry has no TTL, even if the old one had one:
    /// [`update_with`](Self::update_with) keeps it.
    ///
    /// ```no_run
    /// # async fn example(bucket: tempo_sdk_keyvalue::Bucket) -> Result<(), tempo_sdk_keyvalue::Error> {
    /// // Keep the longest name.
    /// let name = "Ada";
    /// bucket.update("longest", |old| old.is_none_or(|old| old.len() < name.len()).then_some(name)).await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Returns the host's error; see [`Error`]. After [`Error::Timeout`] the write may have taken effect.
    pub async fn update<V: Into<Vec<u8>>>(
        &self,
        key: impl Into<String>,
        mut change: impl FnMut(Option<&[u8]>) -> Option<V>,
    ) -> Result<Option<Vec<u8>>, Error> {
        left(self.try_update(key, |old| change(old).ok_or(Stop::Left)).await)
    }

    /// Like [`update`](Self::update), with a TTL of the written entry: the old one or another. The component then imports
    /// `tempo:keyvalue@0.1.0`.
    ///
    /// ```no_run
    /// # async fn example(bucket: tempo_sdk_keyvalue::Bucket) -> Result<(), tempo_sdk_keyvalue::Error> {
    /// use std::time::Duration;
    /// use tempo_sdk_keyvalue::UpdateOptions;
    ///
    /// // The pages of a session, which ends half an hour after its first page.
    /// let half_an_hour = UpdateOptions::new().keep_ttl().ttl(Duration::from_secs(1800));
    /// let add = |old: Option<&[u8]>| Some([old.unwrap_or_default(), b"/cart\n"].concat());
    /// bucket.update_with("session/7", half_an_hour, add).await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`update`](Self::update), and [`Error::InvalidArgument`] if the TTL is zero, or the store has no TTLs.
    pub async fn update_with<V: Into<Vec<u8>>>(
        &self,
        key: impl Into<String>,
        options: UpdateOptions,
        mut change: impl FnMut(Option<&[u8]>) -> Option<V>,
    ) -> Result<Option<Vec<u8>>, Error> {
        left(self.try_update_with(key, options, |old| change(old).ok_or(Stop::Left)).await)
    }

    /// Like [`update`](Self::update), with a `change` that may fail. Its error ends the update, and nothing is written.
    ///
    /// ```no_run
    /// # async fn example(bucket: tempo_sdk_keyvalue::Bucket) -> Result<(), Box<dyn std::error::Error>> {
    /// bucket
    ///     .try_update("stock", |old| {
    ///         let stock: u32 = old.map_or(Ok("0"), str::from_utf8)?.parse()?;
    ///         stock.checked_sub(1).map(|left| left.to_string()).ok_or("sold out".into())
    ///     })
    ///     .await
    /// #   .map(|_: Vec<u8>| ()).map_err(|error: Box<dyn std::error::Error>| error)
    /// # }
    /// ```
    ///
    /// # Errors
    /// Returns the error of `change`, or the host's error; see [`Error`].
    pub async fn try_update<V: Into<Vec<u8>>, E: From<Error>>(
        &self,
        key: impl Into<String>,
        change: impl FnMut(Option<&[u8]>) -> Result<V, E>,
    ) -> Result<Vec<u8>, E> {
        self.retry(key.into(), WithoutTtl, change).await
    }

    /// Like [`update_with`](Self::update_with), with a `change` that may fail. Its error ends the update, and nothing is
    /// written.
    ///
    /// # Errors
    /// Returns the error of `change`, or an error of [`update_with`](Self::update_with).
    pub async fn try_update_with<V: Into<Vec<u8>>, E: From<Error>>(
        &self,
        key: impl Into<String>,
        options: UpdateOptions,
        change: impl FnMut(Option<&[u8]>) -> Result<V, E>,
    ) -> Result<Vec<u8>, E> {
        self.retry(key.into(), options, change).await
    }

    async fn retry<V: Into<Vec<u8>>, E: From<Error>>(
        &self,
        key: String,
        write: impl ConditionalWrite,
        mut change: impl FnMut(Option<&[u8]>) -> Result<V, E>,
    ) -> Result<Vec<u8>, E> {
        let mut current = self.entry(key.as_str()).await?;
        loop {
            let value = change(current.as_ref().map(|entry| entry.value.as_slice()))?.into();
            match &current {
                Some(entry) => {
                    let expected = Expected::new().version(&entry.version);
                    match write.swap(self, &key, &value, expected).await? {
                        Swap::Done => return Ok(value),
                        Swap::Stale(entry) => current = entry,
                    }
                }
                // `swap` needs an existing entry.
                None => match self.set_with(key.as_str(), value.as_slice(), write.creation()).await {
                    Ok(()) => return Ok(value),
                    Err(Error::PreconditionFailed) => current = self.entry(key.as_str()).await?,
                    Err(error) => return Err(error.into()),
                },
            }
        }
    }
}

/// The writes of an update. A type for each way to swap, so that a component imports only the one that it uses.
trait ConditionalWrite {
    fn swap(
        &self,
        bucket: &Bucket,
        key: &str,
        value: &[u8],
        expected: Expected,
    ) -> impl Future<Output = Result<Swap, Error>> + Send;

    /// Returns the options of the write that creates the entry.
    fn creation(&self) -> SetOptions;
}

/// Writes entries without a TTL.
struct WithoutTtl;

impl ConditionalWrite for WithoutTtl {
    async fn swap(&self, bucket: &Bucket, key: &str, value: &[u8], expected: Expected) -> Result<Swap, Error> {
        bucket.swap(key, value, expected).await
    }

    fn creation(&self) -> SetOptions {
        SetOptions::new().if_absent()
    }
}

impl ConditionalWrite for UpdateOptions {
    async fn swap(&self, bucket: &Bucket, key: &str, value: &[u8], expected: Expected) -> Result<Swap, Error> {
        bucket.swap_with(key, value, expected, *self).await
    }

    fn creation(&self) -> SetOptions {
        (*self).creation()
    }
}

/// Returns the written value, or `None` if the change left the entry unchanged.
fn left(updated: Result<Vec<u8>, Stop>) -> Result<Option<Vec<u8>>, Error> {
    match updated {
        Ok(written) => Ok(Some(written)),
        Err(Stop::Left) => Ok(None),
        Err(Stop::Failed(error)) => Err(error),
    }
}

/// The reason why an update ended without a write.
enum Stop {
    Left,
    Failed(Error),
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}
