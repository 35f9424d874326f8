//! The context of a check: unique topics, and comparisons that report the difference and its location.

pub(crate) use crate::outcome::{Differs, Outcome, holds, same};

use std::fmt::Debug;
use std::time::Duration;

use tempo_sdk_http::sleep;
use tempo_sdk_keyvalue::Bucket;
use tempo_sdk_messaging::{Draft, Error, ErrorKind, Message};

use crate::checks::random;
use crate::handle::ACT;
use crate::outcome::short;
use crate::seen::{self, Seen};

/// The store for the records of deliveries, and a unique prefix of topics.
pub(crate) struct Scope {
    pub(crate) bucket: Bucket,
    pub(crate) prefix: String,
}

impl Scope {
    pub(crate) async fn new(check: &str) -> Result<Self, Differs> {
        let random = random();
        Ok(Self { bucket: Bucket::open("default").await?, prefix: format!("check.{check}-{random:x}") })
    }

    /// Returns a topic of this check, to which the component is subscribed.
    pub(crate) fn topic(&self, name: &str) -> String {
        format!("{}.{name}", self.prefix)
    }

    /// Begins a message of this check.
    pub(crate) fn message(&self, name: &str) -> Draft {
        Message::new(self.topic(name))
    }

    /// Begins a message of this check with an action for the handler.
    pub(crate) fn with_act(&self, name: &str, act: &str) -> Draft {
        self.message(name).header(ACT, act)
    }

    /// Waits for at least `least` deliveries on a topic of this check.
    pub(crate) async fn wait(&self, name: &str, least: usize) -> Result<Vec<Seen>, Differs> {
        seen::wait(&self.bucket, &self.topic(name), least).await
    }

    /// Returns the only delivery on a topic of this check.
    pub(crate) async fn one(&self, name: &str) -> Result<Seen, Differs> {
        let mut seen = self.wait(name, 1).await?;
        same(&format!("how many deliveries there are on {name}"), seen.len(), 1)?;
        seen.pop().ok_or_else(|| Differs::new("no delivery"))
    }

    /// Returns the attempts on a topic of this check once no further one can be pending: after a later message was
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

/// Checks that `got` is an error of one of these kinds, with a message.
#[track_caller]
pub(crate) fn fails<T: Debug>(what: &str, got: Result<T, Error>, kinds: &[ErrorKind]) -> Outcome {
    match got {
        Err(error) if kinds.contains(&error.kind()) && !error.to_string().is_empty() => Ok(()),
        other => Err(Differs::new(format_args!("{what}: {}, and not one of {kinds:?}", short(&other)))),
    }
}
