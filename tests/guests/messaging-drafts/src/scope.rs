//! The context of a check: unique topics, and comparisons that report the difference and its location.

pub(crate) use crate::outcome::{Differs, Outcome, holds, same};

use std::collections::hash_map::RandomState;
use std::fmt::Debug;
use std::hash::{BuildHasher, Hasher};
use std::time::Duration;

use crate::bindings::wasi::messaging::types::{Client, Error};
use crate::outcome::short;
use crate::seen;

/// The number of polls before a check gives up: a minute in total.
const LOOKS: u32 = 6_000;

/// The pause between two polls.
const PAUSE: Duration = Duration::from_millis(10);

/// The client `default`, and a unique prefix of topics.
pub(crate) struct Scope {
    pub(crate) client: Client,
    prefix: String,
}

impl Scope {
    pub(crate) fn new(check: &str) -> Result<Self, Differs> {
        // The keys of a hasher are the random numbers of the standard library.
        let random = RandomState::new().build_hasher().finish();
        let check = check.replace('/', "-");
        Ok(Self { client: Client::connect("default")?, prefix: format!("check.{check}-{random:x}") })
    }

    /// Returns a topic of this check; its last token is the handler's action.
    pub(crate) fn topic(&self, name: &str) -> String {
        format!("{}.{name}", self.prefix)
    }

    /// Waits for at least `least` deliveries on a topic.
    pub(crate) fn wait(&self, topic: &str, least: usize) -> Result<Vec<String>, Differs> {
        let mut seen = Vec::new();
        for _ in 0..LOOKS {
            seen = seen::on(topic).map_err(Differs::new)?;
            if seen.len() >= least {
                return Ok(seen);
            }
            std::thread::sleep(PAUSE);
        }
        Err(Differs::new(format_args!("{} of {least} deliveries came on {topic}: {seen:?}", seen.len())))
    }

    /// Returns the only delivery on a topic.
    pub(crate) fn one(&self, topic: &str) -> Result<String, Differs> {
        let mut seen = self.wait(topic, 1)?;
        same(&format!("how many deliveries there are on {topic}"), seen.len(), 1)?;
        seen.pop().ok_or_else(|| Differs::new("no delivery"))
    }
}

impl From<Error> for Differs {
    #[track_caller]
    fn from(error: Error) -> Self {
        Self::new(format_args!("{error:?}"))
    }
}

/// Checks that `got` is an error with a message.
#[track_caller]
pub(crate) fn fails<T: Debug>(what: &str, got: Result<T, Error>) -> Outcome {
    match got {
        Err(Error::Other(text) | Error::PermissionDenied(text) | Error::Connection(text)) if !text.is_empty() => Ok(()),
        other => Err(Differs::new(format_args!("{what}: {}, and not an error that says why", short(&other)))),
    }
}
