//! What every check works with: keys of its own, and comparisons that say what differed and where.

use std::collections::hash_map::RandomState;
use std::fmt::{self, Debug};
use std::hash::{BuildHasher, Hasher};
use std::panic::Location;
use tempo_sdk_keyvalue::{Bucket, Error};

/// The bucket, and a prefix that nobody else has.
pub(crate) struct Scope {
    pub(crate) bucket: Bucket,
    pub(crate) prefix: String,
}

impl Scope {
    pub(crate) async fn new(check: &str) -> Result<Self, Differs> {
        // A hasher's keys are the random numbers that the standard library has to offer.
        let random = RandomState::new().build_hasher().finish();
        Ok(Self { bucket: Bucket::open("default").await?, prefix: format!("{check}-{random:x}/") })
    }

    /// A key of this check.
    pub(crate) fn key(&self, name: &str) -> String {
        format!("{}{name}", self.prefix)
    }

    /// Deletes the keys of this check.
    pub(crate) async fn clean(&self) -> Outcome {
        let keys = self.all("").await?;
        self.bucket.delete_many(keys).await?;
        same("keys after cleaning", self.all("").await?, Vec::<String>::new())
    }

    /// The keys of this check that begin with `prefix`, sorted.
    pub(crate) async fn all(&self, prefix: &str) -> Result<Vec<String>, Differs> {
        list(&self.bucket, self.key(prefix)).await
    }
}

/// The keys that begin with `prefix`, sorted; one that comes twice is there twice.
pub(crate) async fn list(bucket: &Bucket, prefix: impl Into<String>) -> Result<Vec<String>, Differs> {
    let mut keys = bucket.keys(prefix);
    let mut all = Vec::new();
    while let Some(key) = keys.try_next().await? {
        all.push(key);
    }
    all.sort();
    Ok(all)
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
        Self::new(error)
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

/// `got` must be an error: this one.
#[track_caller]
#[expect(clippy::needless_pass_by_value, reason = "comparisons take what they compare")]
pub(crate) fn fails<T: Debug>(what: &str, got: Result<T, Error>, wanted: Error) -> Outcome {
    match got {
        Err(error) if error == wanted => Ok(()),
        other => Err(Differs::new(format_args!("{what}: {}, and not {wanted:?}", short(&other)))),
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
