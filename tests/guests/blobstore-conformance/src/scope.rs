//! The context of a check: unique names, and comparisons that report the difference and its location.

pub(crate) use crate::outcome::{Differs, Outcome, holds, same};

use std::fmt::Debug;
use std::panic::Location;

use tempo_sdk_blobstore::{Container, Error, ErrorKind};

use crate::checks::random;
use crate::outcome::short;

/// The container, and a unique prefix.
pub(crate) struct Scope {
    pub(crate) container: Container,
    prefix: String,
}

impl Scope {
    pub(crate) async fn new(check: &str) -> Result<Self, Differs> {
        let random = random();
        Ok(Self { container: Container::open("default").await?, prefix: format!("{check}-{random:x}/") })
    }

    /// Returns a name of this check.
    pub(crate) fn name(&self, name: &str) -> String {
        format!("{}{name}", self.prefix)
    }

    /// Returns the names of this check that begin with `prefix`, in list order, without the common prefix.
    pub(crate) async fn all(&self, prefix: &str) -> Result<Vec<String>, Differs> {
        let names = list(&self.container, &self.name(prefix)).await?;
        let own = |name: &String| name.strip_prefix(&self.prefix).map(str::to_owned);
        names.iter().map(|name| own(name).ok_or(Differs::new(format_args!("{name:?} is in the list")))).collect()
    }

    /// Returns the object's bytes.
    pub(crate) async fn read(&self, name: &str) -> Result<Vec<u8>, Error> {
        Ok(self.container.get(name).await?.reader.bytes().await?.into())
    }

    /// Checks that every operation reports a missing object.
    #[track_caller]
    pub(crate) fn is_gone(&self, name: &str) -> impl Future<Output = Outcome> {
        let place = Location::caller();
        async move {
            let gone = async {
                same("stat", self.container.stat(name).await?, None)?;
                fails("get", self.container.get(name).await, ErrorKind::NoSuchObject)?;
                let listed = list(&self.container, name).await?;
                holds("it is not in the list", !listed.iter().any(|listed| listed == name))
            };
            gone.await.map_err(|differs: Differs| differs.seen_from(place))
        }
    }

    /// Deletes the objects of this check.
    pub(crate) async fn clean(&self) -> Outcome {
        for name in self.all("").await? {
            self.container.delete(self.name(&name)).await?;
        }
        same("names after cleaning", self.all("").await?, Vec::<String>::new())
    }
}

/// Returns the names that begin with `prefix`, in list order.
pub(crate) async fn list(container: &Container, prefix: &str) -> Result<Vec<String>, Differs> {
    let mut objects = container.list(prefix);
    let mut names = Vec::new();
    while let Some(object) = objects.try_next().await? {
        names.push(object.name);
    }
    Ok(names)
}

/// Returns byte `place` of the test pattern: its period is a prime, so that a misplaced chunk is detected.
pub(crate) fn byte(place: u64) -> u8 {
    u8::try_from(place % 251).unwrap_or_default()
}

/// Returns the bytes `from..to` of the test pattern.
pub(crate) fn pattern(from: u64, to: u64) -> Vec<u8> {
    (from..to).map(byte).collect()
}

impl Differs {
    fn seen_from(self, place: &Location<'_>) -> Self {
        Self(format!("{} ({}:{})", self.0, place.file(), place.line()))
    }
}

impl From<Error> for Differs {
    #[track_caller]
    fn from(error: Error) -> Self {
        Self::new(format_args!("{:?}: {error}", error.kind()))
    }
}

/// Checks that `got` is an error of this kind.
#[track_caller]
pub(crate) fn fails<T: Debug>(what: &str, got: Result<T, Error>, wanted: ErrorKind) -> Outcome {
    match got {
        Err(error) if error.kind() == wanted => Ok(()),
        other => Err(Differs::new(format_args!("{what}: {}, and not {wanted:?}", short(&other)))),
    }
}
