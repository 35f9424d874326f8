//! Batch operations: several entries in one call. A batch saves round trips; it is not atomic.

use crate::bindings::wasmcloud::keyvalue::batch;
use crate::{Bucket, Error};

impl Bucket {
    /// Returns the values of `keys`, in the same order; `None` for a key without an entry.
    ///
    /// ```no_run
    /// # async fn example(bucket: tempo_sdk_keyvalue::Bucket) -> Result<(), tempo_sdk_keyvalue::Error> {
    /// bucket.set_many([("a", "1"), ("b", "2")]).await?;
    /// assert_eq!(bucket.get_many(["b", "c"]).await?, [Some(b"2".to_vec()), None]);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Returns the host's error if reading any of the keys fails; see [`Error`].
    pub async fn get_many<K: Into<String>>(
        &self,
        keys: impl IntoIterator<Item = K>,
    ) -> Result<Vec<Option<Vec<u8>>>, Error> {
        let keys: Vec<String> = keys.into_iter().map(Into::into).collect();
        let pairs = batch::get_many(&self.host, keys.clone()).await?;
        in_order(&keys, pairs)
    }

    /// Writes every pair, as [`set`](Self::set) does, in no particular order.
    ///
    /// # Errors
    /// Returns the host's error if any write fails; other pairs may have been written.
    pub async fn set_many<K: Into<String>, V: Into<Vec<u8>>>(
        &self,
        pairs: impl IntoIterator<Item = (K, V)>,
    ) -> Result<(), Error> {
        let pairs: Vec<_> = pairs.into_iter().map(|(key, value)| (key.into(), value.into())).collect();
        Ok(batch::set_many(&self.host, pairs).await?)
    }

    /// Deletes the entries under `keys`, in no particular order. Keys without an entry are skipped.
    ///
    /// # Errors
    /// Returns the host's error if any deletion fails; other entries may have been deleted.
    pub async fn delete_many<K: Into<String>>(&self, keys: impl IntoIterator<Item = K>) -> Result<(), Error> {
        let keys: Vec<String> = keys.into_iter().map(Into::into).collect();
        Ok(batch::delete_many(&self.host, keys).await?)
    }
}

type Pairs = Vec<Option<(String, Vec<u8>)>>;

/// Returns the values in the order of `keys`. Fails if the host's pairs are in another order: a value must not be
/// attributed to another key.
fn in_order(keys: &[String], pairs: Pairs) -> Result<Vec<Option<Vec<u8>>>, Error> {
    let fits = |(key, pair): (&String, &Option<(String, _)>)| pair.as_ref().is_none_or(|(name, _)| name == key);
    if pairs.len() != keys.len() || !keys.iter().zip(&pairs).all(fits) {
        return Err(Error::Other("the host returned other keys than the requested ones".to_owned()));
    }
    Ok(pairs.into_iter().map(|pair| pair.map(|(_, value)| value)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair(key: &str, value: &str) -> Option<(String, Vec<u8>)> {
        Some((key.to_owned(), value.into()))
    }

    #[test]
    fn each_value_belongs_to_its_key() {
        let keys = ["a", "b", "a"].map(str::to_owned);
        let values = in_order(&keys, vec![pair("a", "1"), None, pair("a", "1")]);
        assert_eq!(values, Ok(vec![Some(b"1".to_vec()), None, Some(b"1".to_vec())]));
        for wrong in [vec![pair("b", "2"), pair("a", "1"), None], vec![pair("a", "1")], vec![None; 4]] {
            assert!(matches!(in_order(&keys, wrong), Err(Error::Other(_))));
        }
    }
}
