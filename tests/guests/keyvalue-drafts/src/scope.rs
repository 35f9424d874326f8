//! What every check works with: keys of its own, and comparisons that say what differed and where.

pub(crate) use crate::outcome::{Differs, Outcome, holds, same};

use std::collections::hash_map::RandomState;
use std::fmt::Debug;
use std::hash::{BuildHasher, Hasher};

use crate::api::{Api, Bucket, Error};
use crate::outcome::short;

/// The bucket, and a prefix that nobody else has.
pub(crate) struct Scope {
    pub(crate) api: &'static dyn Api,
    pub(crate) bucket: Box<dyn Bucket>,
    prefix: String,
}

impl Scope {
    pub(crate) fn new(api: &'static dyn Api, check: &str) -> Result<Self, Differs> {
        // A hasher's keys are the random numbers that the standard library has to offer.
        let random = RandomState::new().build_hasher().finish();
        Ok(Self { api, bucket: api.open("default")?, prefix: format!("{check}-{random:x}/") })
    }

    /// A key of this check.
    pub(crate) fn key(&self, name: &str) -> String {
        format!("{}{name}", self.prefix)
    }

    /// Deletes the keys of this check.
    pub(crate) fn clean(&self) -> Outcome {
        self.bucket.delete_many(&self.own()?)?;
        same("keys after cleaning", self.own()?, Vec::<String>::new())
    }

    /// The keys of this check, sorted; one that comes twice is there twice.
    pub(crate) fn own(&self) -> Result<Vec<String>, Differs> {
        let mut keys = self.all()?;
        keys.retain(|key| key.starts_with(&self.prefix));
        Ok(keys)
    }

    /// All keys of the bucket, sorted. The drafts know no prefixes.
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

/// `got` must be the error that the drafts have for everything that is not allowed.
#[track_caller]
pub(crate) fn fails<T: Debug>(what: &str, got: Result<T, Error>) -> Outcome {
    match got {
        Err(Error::Other(text)) if !text.is_empty() => Ok(()),
        other => Err(Differs::new(format_args!("{what}: {}, and not an error that says why", short(&other)))),
    }
}
