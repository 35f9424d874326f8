//! The context of a check: unique keys, and comparisons that report the difference and its location.

pub(crate) use crate::outcome::{Differs, Outcome, holds, same};

use std::fmt::Debug;

use tempo_sdk_keyvalue::{Bucket, Error};

use crate::checks::random;
use crate::outcome::short;

/// The bucket, and a unique prefix.
pub(crate) struct Scope {
    pub(crate) bucket: Bucket,
    pub(crate) prefix: String,
}

impl Scope {
    pub(crate) async fn new(check: &str) -> Result<Self, Differs> {
        let random = random();
        Ok(Self { bucket: Bucket::open("default").await?, prefix: format!("{check}-{random:x}/") })
    }

    /// Returns a key of this check.
    pub(crate) fn key(&self, name: &str) -> String {
        format!("{}{name}", self.prefix)
    }

    /// Deletes the keys of this check.
    pub(crate) async fn clean(&self) -> Outcome {
        let keys = self.all("").await?;
        self.bucket.delete_many(keys).await?;
        same("keys after cleaning", self.all("").await?, Vec::<String>::new())
    }

    /// Returns the keys of this check that begin with `prefix`, sorted.
    pub(crate) async fn all(&self, prefix: &str) -> Result<Vec<String>, Differs> {
        list(&self.bucket, self.key(prefix)).await
    }
}

/// Returns the keys that begin with `prefix`, sorted; duplicates are kept.
pub(crate) async fn list(bucket: &Bucket, prefix: impl Into<String>) -> Result<Vec<String>, Differs> {
    let mut keys = bucket.keys(prefix);
    let mut all = Vec::new();
    while let Some(key) = keys.try_next().await? {
        all.push(key);
    }
    all.sort();
    Ok(all)
}

impl From<Error> for Differs {
    #[track_caller]
    fn from(error: Error) -> Self {
        Self::new(error)
    }
}

/// Checks that `got` is this error.
#[track_caller]
#[expect(clippy::needless_pass_by_value, reason = "comparisons take what they compare")]
pub(crate) fn fails<T: Debug>(what: &str, got: Result<T, Error>, wanted: Error) -> Outcome {
    match got {
        Err(error) if error == wanted => Ok(()),
        other => Err(Differs::new(format_args!("{what}: {}, and not {wanted:?}", short(&other)))),
    }
}
