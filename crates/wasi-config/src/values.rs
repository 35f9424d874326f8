//! `Values`: configuration values in memory.

use std::collections::BTreeMap;

use async_trait::async_trait;
use tempo_settings::Secret;

use crate::{Configuration, Error};

/// Configuration values in memory. The debug output contains keys only.
#[derive(Clone, Debug, Default)]
pub struct Values {
    values: BTreeMap<String, Secret>,
}

impl Values {
    /// Iterates over the pairs, sorted by key.
    pub fn pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        self.values.iter().map(|(key, value)| (key.as_str(), value.reveal()))
    }
}

impl<K: Into<String>, V: Into<String>> Extend<(K, V)> for Values {
    /// Adds pairs; later values of a key replace earlier ones.
    fn extend<I: IntoIterator<Item = (K, V)>>(&mut self, pairs: I) {
        self.values.extend(pairs.into_iter().map(|(key, value)| (key.into(), Secret::new(value))));
    }
}

impl<K: Into<String>, V: Into<String>> FromIterator<(K, V)> for Values {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(pairs: I) -> Self {
        let mut values = Self::default();
        values.extend(pairs);
        values
    }
}

#[async_trait]
impl Configuration for Values {
    async fn get(&self, key: &str) -> Result<Option<String>, Error> {
        Ok(self.values.get(key).map(|value| value.reveal().to_owned()))
    }

    async fn get_all(&self) -> Result<Vec<(String, String)>, Error> {
        Ok(self.pairs().map(|(key, value)| (key.to_owned(), value.to_owned())).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conformance;

    #[tokio::test]
    async fn conforms() {
        let values: Values = conformance::PAIRS.iter().copied().collect();
        conformance::run(&values).await.unwrap();
    }

    #[test]
    fn values_are_not_printed() {
        let values: Values = [("key", "s3cret")].into_iter().collect();
        assert_eq!(format!("{values:?}"), r#"Values { values: {"key": ***} }"#);
    }
}
