//! What every check works with: topics of its own, and comparisons that say what differed and where.

pub(crate) use crate::outcome::{Differs, Outcome, holds, same};

use std::collections::hash_map::RandomState;
use std::fmt::Debug;
use std::hash::{BuildHasher, Hasher};
use std::time::Duration;

use tempo_sdk_http::sleep;
use tempo_sdk_keyvalue::Bucket;
use tempo_sdk_messaging::{Draft, Error, ErrorKind, Message};

use crate::handle::ACT;
use crate::outcome::short;
use crate::seen::{self, Seen};

/// The place where deliveries are written down, and a prefix of topics that nobody else has.
pub(crate) struct Scope {
    pub(crate) bucket: Bucket,
    pub(crate) prefix: String,
}

impl Scope {
    pub(crate) async fn new(check: &str) -> Result<Self, Differs> {
        // A hasher's keys are the random numbers that the standard library has to offer.
        let random = RandomState::new().build_hasher().finish();
        Ok(Self { bucket: Bucket::open("default").await?, prefix: format!("check.{check}-{random:x}") })
    }

    /// A topic of this check, which the component is subscribed to.
    pub(crate) fn topic(&self, name: &str) -> String {
        format!("{}.{name}", self.prefix)
    }

    /// A message of this check.
    pub(crate) fn message(&self, name: &str) -> Draft {
        Message::new(self.topic(name))
    }

    /// A message of this check that says what is to be done with it.
    pub(crate) fn with_act(&self, name: &str, act: &str) -> Draft {
        self.message(name).header(ACT, act)
    }

    /// The deliveries on a topic of this check, as soon as there are `least`.
    pub(crate) async fn wait(&self, name: &str, least: usize) -> Result<Vec<Seen>, Differs> {
        seen::wait(&self.bucket, &self.topic(name), least).await
    }

    /// The only delivery on a topic of this check.
    pub(crate) async fn one(&self, name: &str) -> Result<Seen, Differs> {
        let mut seen = self.wait(name, 1).await?;
        same(&format!("how many deliveries there are on {name}"), seen.len(), 1)?;
        seen.pop().ok_or_else(|| Differs::new("no delivery"))
    }

    /// The deliveries on a topic of this check, when more would have come by now if they were to come: a later message was
    /// handled.
    pub(crate) async fn final_attempts(&self, name: &str) -> Result<Vec<u32>, Differs> {
        let later = format!("{name}-later");
        self.message(&later).publish().await?;
        self.wait(&later, 1).await?;
        sleep(Duration::from_millis(500)).await;
        let seen = seen::on(&self.bucket, &self.topic(name)).await?;
        Ok(seen.iter().map(|seen| seen.attempt).collect())
    }
}

impl From<Error> for Differs {
    #[track_caller]
    fn from(error: Error) -> Self {
        Self::new(format_args!("{:?}: {error}", error.kind()))
    }
}

impl From<tempo_sdk_keyvalue::Error> for Differs {
    #[track_caller]
    fn from(error: tempo_sdk_keyvalue::Error) -> Self {
        Self::new(error)
    }
}

/// `got` must be an error of one of these kinds, which says why.
#[track_caller]
pub(crate) fn fails<T: Debug>(what: &str, got: Result<T, Error>, kinds: &[ErrorKind]) -> Outcome {
    match got {
        Err(error) if kinds.contains(&error.kind()) && !error.to_string().is_empty() => Ok(()),
        other => Err(Differs::new(format_args!("{what}: {}, and not one of {kinds:?}", short(&other)))),
    }
}
