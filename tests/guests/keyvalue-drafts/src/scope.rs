//! What every check works with: keys of its own, and comparisons that say what differed and where.

use crate::api::{Api, Bucket, Error};
use std::collections::hash_map::RandomState;
use std::fmt::{self, Debug};
use std::hash::{BuildHasher, Hasher};
use std::panic::Location;

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

pub(crate) type Outcome = Result<(), Differs>;

/// What is not as it must be, with the place that says so.
#[derive(Debug)]
pub(crate) struct Differs(String);

impl Differs {
    #[track_caller]
    pub(crate) fn new(what: impl fmt::Display) -> Self {
        let place = Location::caller();
        Self(format!("{what} ({}:{})", place.file(), place.line()))
    }
}

impl fmt::Display for Differs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<Error> for Differs {
    #[track_caller]
    fn from(error: Error) -> Self {
        Self::new(format_args!("{error:?}"))
    }
}

/// `got` must be `wanted`.
#[track_caller]
#[expect(clippy::needless_pass_by_value, reason = "comparisons take what they compare")]
pub(crate) fn same<A: Debug + PartialEq<B>, B: Debug>(what: &str, got: A, wanted: B) -> Outcome {
    if got == wanted {
        return Ok(());
    }
    Err(Differs::new(format_args!("{what}: {}, and not {}", short(&got), short(&wanted))))
}

/// `got` must be the error that the drafts have for everything that is not allowed.
#[track_caller]
pub(crate) fn fails<T: Debug>(what: &str, got: Result<T, Error>) -> Outcome {
    match got {
        Err(Error::Other(text)) if !text.is_empty() => Ok(()),
        other => Err(Differs::new(format_args!("{what}: {}, and not an error that says why", short(&other)))),
    }
}

/// `holds` must be so.
#[track_caller]
pub(crate) fn holds(what: &str, holds: bool) -> Outcome {
    if holds { Ok(()) } else { Err(Differs::new(what)) }
}

/// A value of a megabyte is not for reading.
fn short(value: &impl Debug) -> String {
    let text = format!("{value:?}");
    if text.chars().count() <= 400 {
        return text;
    }
    text.chars().take(400).chain("...".chars()).collect()
}
