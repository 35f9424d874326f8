//! Read-modify-write: `update` calls a function and swaps, and retries if another writer was faster.

use crate::{Bucket, Error, Expected, SetOptions, Swap};

impl Bucket {
    /// Changes the value of `key` with `change`, which receives the current value (`None` if there is no entry) and
    /// returns the new one, or `None` to leave the entry unchanged. Returns the written value.
    ///
    /// Concurrent writes are never lost: if the entry has changed, `change` is called again with the current value. In
    /// each round at least one writer succeeds. The written entry has no TTL, even if the old one had one.
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
        match self.try_update(key, |old| change(old).ok_or(Stop::Left)).await {
            Ok(written) => Ok(Some(written)),
            Err(Stop::Left) => Ok(None),
            Err(Stop::Failed(error)) => Err(error),
        }
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
        mut change: impl FnMut(Option<&[u8]>) -> Result<V, E>,
    ) -> Result<Vec<u8>, E> {
        let key = key.into();
        let mut current = self.entry(key.as_str()).await?;
        loop {
            let value = change(current.as_ref().map(|entry| entry.value.as_slice()))?.into();
            match &current {
                Some(entry) => {
                    let expected = Expected::new().version(&entry.version);
                    match self.swap(key.as_str(), value.as_slice(), expected).await? {
                        Swap::Done => return Ok(value),
                        Swap::Stale(entry) => current = entry,
                    }
                }
                // `swap` needs an existing entry.
                None => match self.set_with(key.as_str(), value.as_slice(), SetOptions::new().if_absent()).await {
                    Ok(()) => return Ok(value),
                    Err(Error::PreconditionFailed) => current = self.entry(key.as_str()).await?,
                    Err(error) => return Err(error.into()),
                },
            }
        }
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
