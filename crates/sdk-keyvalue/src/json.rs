//! JSON values, with serde.

use serde::{Serialize, de::DeserializeOwned};

use crate::{Bucket, Error, SetOptions};

impl Bucket {
    /// Returns the value of `key`, decoded from JSON, or `None` if there is no entry.
    ///
    /// ```no_run
    /// # async fn example(bucket: tempo_sdk_keyvalue::Bucket) -> Result<(), tempo_sdk_keyvalue::Error> {
    /// #[derive(serde::Serialize, serde::Deserialize)]
    /// struct User {
    ///     name: String,
    /// }
    ///
    /// bucket.set_json("users/7", &User { name: "Ada".to_owned() }).await?;
    /// let user: Option<User> = bucket.get_json("users/7").await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`get`](Self::get), and [`Error::Decode`] if the value is not the JSON of a `T`.
    pub async fn get_json<T: DeserializeOwned>(&self, key: impl Into<String>) -> Result<Option<T>, Error> {
        self.get(key).await?.map(|value| decode(&value)).transpose()
    }

    /// Writes `value` as JSON under `key`, as [`set`](Self::set) does.
    ///
    /// # Errors
    /// As [`set`](Self::set), and [`Error::InvalidArgument`] if `value` has no JSON form, such as a map with keys that
    /// are not strings.
    pub async fn set_json<T: Serialize + ?Sized>(&self, key: impl Into<String>, value: &T) -> Result<(), Error> {
        self.set(key, encode(value)?).await
    }

    /// Writes `value` as JSON under `key`, as [`set_with`](Self::set_with) does.
    ///
    /// # Errors
    /// As [`set_with`](Self::set_with) and [`set_json`](Self::set_json).
    pub async fn set_json_with<T: Serialize + ?Sized>(
        &self,
        key: impl Into<String>,
        value: &T,
        options: SetOptions,
    ) -> Result<(), Error> {
        self.set_with(key, encode(value)?, options).await
    }
}

fn decode<T: DeserializeOwned>(value: &[u8]) -> Result<T, Error> {
    serde_json::from_slice(value).map_err(|error| Error::Decode(error.to_string()))
}

fn encode<T: Serialize + ?Sized>(value: &T) -> Result<Vec<u8>, Error> {
    serde_json::to_vec(value).map_err(|_| Error::InvalidArgument)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    #[test]
    fn json_is_written_and_read() {
        let value = encode(&["a", "b"][..]);
        assert_eq!(value.as_deref(), Ok(&br#"["a","b"]"#[..]));
        assert_eq!(decode::<Vec<String>>(br#"["a","b"]"#), Ok(vec!["a".to_owned(), "b".to_owned()]));
        assert!(matches!(decode::<u32>(b"{"), Err(Error::Decode(_))));
        assert_eq!(encode(&BTreeMap::from([(vec![1], 1)])), Err(Error::InvalidArgument));
    }
}
