//! `wasi:config/store`, formerly `runtime`: all published versions share two functions.

use crate::bindings::{draft, draft_2024_09_27, rc1};
use crate::{ConfigView, Error};

/// Maximum length of a key, in bytes.
pub(crate) const MAX_KEY: usize = 512;

/// Size of a pair besides its text, in bytes: two addresses and two lengths in the guest's memory.
pub(crate) const PAIR_OVERHEAD: usize = 16;

impl ConfigView<'_> {
    async fn value(&self, key: &str) -> Result<Option<String>, Error> {
        if key.len() > MAX_KEY {
            return Err(Error::Io(format!("the key is longer than {MAX_KEY} bytes")));
        }
        let value = self.configuration.get(key).await?;
        self.fits(value.as_ref().map_or(0, String::len))?;
        Ok(value)
    }

    async fn values(&self) -> Result<Vec<(String, String)>, Error> {
        let values = self.configuration.get_all().await?;
        self.fits(size(values.iter().map(|(key, value)| (key.as_str(), value.as_str()))))?;
        Ok(values)
    }

    fn fits(&self, bytes: usize) -> Result<(), Error> {
        if bytes > self.max_bytes {
            return Err(Error::Io(format!("the answer is larger than {} bytes", self.max_bytes)));
        }
        Ok(())
    }
}

/// Returns the size of `pairs` in a guest's memory, in bytes.
pub(crate) fn size<'a>(pairs: impl Iterator<Item = (&'a str, &'a str)>) -> usize {
    pairs.fold(0, |sum, (key, value)| {
        sum.saturating_add(key.len()).saturating_add(value.len()).saturating_add(PAIR_OVERHEAD)
    })
}

macro_rules! implement {
    ($($interface:path as $name:ident { $error:ident })*) => { $(
        const _: () = {
            use $interface as $name;

            impl From<Error> for $name::$error {
                fn from(error: Error) -> Self {
                    match error {
                        Error::Upstream(text) => Self::Upstream(text),
                        Error::Io(text) => Self::Io(text),
                    }
                }
            }

            impl $name::Host for ConfigView<'_> {
                async fn get(&mut self, key: String) -> wasmtime::Result<Result<Option<String>, $name::$error>> {
                    Ok(self.value(&key).await.map_err(Into::into))
                }

                async fn get_all(&mut self) -> wasmtime::Result<Result<Vec<(String, String)>, $name::$error>> {
                    Ok(self.values().await.map_err(Into::into))
                }
            }
        };
    )* };
}

implement! {
    rc1::wasi::config::store as store { Error }
    draft::wasi::config::store as store { Error }
    draft::wasi::config::runtime as runtime { ConfigError }
    draft_2024_09_27::wasi::config::store as store { Error }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tempo_core::Limits;

    use super::*;
    use crate::{ConfigCtx, Values};

    fn state(values: &[(&str, &str)], max_bytes: usize) -> ConfigCtx {
        let values: Values = values.iter().copied().collect();
        let mut limits = Limits::default();
        limits.hostcall_bytes = max_bytes;
        ConfigCtx::new(Arc::new(values), &limits)
    }

    #[tokio::test]
    async fn keys_at_the_edge() {
        let longest = "k".repeat(MAX_KEY);
        let state = state(&[(longest.as_str(), "v")], 1000);
        assert_eq!(state.view().value(&longest).await, Ok(Some("v".into())));
        assert_eq!(state.view().value(&longest[1..]).await, Ok(None));
        assert!(matches!(state.view().value(&"k".repeat(MAX_KEY + 1)).await, Err(Error::Io(_))));
    }

    #[tokio::test]
    async fn answers_at_the_edge() {
        // Each pair has 2 + 8 + 16 bytes.
        let values = [("k1", "12345678"), ("k2", "12345678")];
        assert_eq!(state(&values, 53).view().values().await.unwrap().len(), 2);
        assert_eq!(state(&values, 52).view().values().await.unwrap().len(), 2);
        assert!(state(&values, 51).view().values().await.is_err());
        assert!(state(&values, 8).view().value("k1").await.is_ok());
        assert!(state(&values, 7).view().value("k1").await.is_err());
    }
}
