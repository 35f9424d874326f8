//! The context of a check: unique keys, and comparisons that report the difference and its location.

pub(crate) use crate::outcome::{Differs, Outcome, holds, same};

use std::collections::hash_map::RandomState;
use std::fmt::Debug;
use std::hash::{BuildHasher, Hasher};

use crate::api::{Api, Bucket, Error};
use crate::outcome::short;

/// The bucket, and a unique prefix.
pub(crate) struct Scope {
    pub(crate) api: &'static dyn Api,
    pub(crate) bucket: Box<dyn Bucket>,
    prefix: String,
}

impl Scope {
    pub(crate) fn new(api: &'static dyn Api, check: &str) -> Result<Self, Differs> {
        // The keys of a hasher are the random numbers of the standard library.
        let random = RandomState::new().build_hasher().finish();
        Ok(Self { api, bucket: api.open("default")?, prefix: format!("{check}-{random:x}/") })
    }

    /// Returns a key of this check.
    pub(crate) fn key(&self, name: &str) -> String {
        format!("{}{name}", self.prefix)
    }

    /// Deletes the keys of this check.
    pub(crate) fn clean(&self) -> Outcome {
        self.bucket.delete_many(&self.own()?)?;
        same("keys after cleaning", self.own()?, Vec::<String>::new())
    }

    /// Returns the keys of this check, sorted; duplicates are kept.
    pub(crate) fn own(&self) -> Result<Vec<String>, Differs> {
        let mut keys = self.all()?;
        keys.retain(|key| key.starts_with(&self.prefix));
        Ok(keys)
    }

    /// Returns all keys of the bucket, sorted. The drafts have no prefixes.
    pub(crate) fn all(&self) -> Result<Vec<String>, Differs> {
        let mut all = Vec::new();
        let mut cursor: Option<String> = None;
        loop {
            let page = self.bucket.page(cursor.as_deref())?;
            all.extend(page.keys);
            cursor = page.cursor;
            if cursor.is_none() {
                all.sort();
                return Ok(all);
            }
        }
    }
}

impl From<Error> for Differs {
    #[track_caller]
    fn from(error: Error) -> Self {
        Self::new(format_args!("{error:?}"))
    }
}

/// Checks that `got` is the error of the drafts for invalid arguments.
#[track_caller]
pub(crate) fn fails<T: Debug>(what: &str, got: Result<T, Error>) -> Outcome {
    match got {
        Err(Error::Other(text)) if !text.is_empty() => Ok(()),
        other => Err(Differs::new(format_args!("{what}: {}, and not an error that says why", short(&other)))),
    }
}
