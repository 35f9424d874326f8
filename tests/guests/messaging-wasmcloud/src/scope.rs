//! The context of a check: unique subjects, and comparisons that report the difference and its location.

pub(crate) use crate::outcome::{Differs, Outcome, holds, same};

use std::time::Duration;

use tempo_sdk_http::sleep;
use tempo_sdk_keyvalue::Bucket;

use crate::bindings::wasmcloud::messaging::types::Error;
use crate::checks::random;
use crate::send::publish;

/// The number of polls before a check gives up: a minute in total.
const LOOKS: u32 = 6_000;

/// The pause between two polls.
const PAUSE: Duration = Duration::from_millis(10);

/// The store for the records of deliveries, and a unique prefix of subjects.
pub(crate) struct Scope {
    bucket: Bucket,
    prefix: String,
}

impl Scope {
    pub(crate) async fn new(check: &str) -> Result<Self, Differs> {
        let random = random();
        Ok(Self { bucket: Bucket::open("default").await?, prefix: format!("check.{check}-{random:x}") })
    }

    /// Returns a subject of this check; its last token is the handler's action.
    pub(crate) fn subject(&self, name: &str) -> String {
        format!("{}.{name}", self.prefix)
    }

    async fn seen(&self, subject: &str) -> Result<Vec<String>, Differs> {
        let mut all = Vec::new();
        loop {
            let number = all.len().saturating_add(1);
            match self.bucket.get_string(format!("seen {subject} {number}")).await? {
                Some(seen) => all.push(seen),
                None => return Ok(all),
            }
        }
    }

    /// Waits for at least `least` deliveries on a subject.
    pub(crate) async fn wait(&self, subject: &str, least: usize) -> Result<Vec<String>, Differs> {
        let mut seen = Vec::new();
        for _ in 0..LOOKS {
            seen = self.seen(subject).await?;
            if seen.len() >= least {
                return Ok(seen);
            }
            sleep(PAUSE).await;
        }
        Err(Differs::new(format_args!("{} of {least} deliveries came on {subject}: {seen:?}", seen.len())))
    }

    /// Returns the number of deliveries on a subject once no further one can be pending: after a later message was
    /// handled.
    pub(crate) async fn final_count(&self, subject: &str) -> Result<usize, Differs> {
        let later = format!("{subject}.later");
        publish(&later, None, &[b"x"]).await?;
        self.wait(&later, 1).await?;
        sleep(Duration::from_millis(500)).await;
        Ok(self.seen(subject).await?.len())
    }
}

impl From<Error> for Differs {
    #[track_caller]
    fn from(error: Error) -> Self {
        Self::new(format_args!("{error:?}"))
    }
}

impl From<tempo_sdk_keyvalue::Error> for Differs {
    #[track_caller]
    fn from(error: tempo_sdk_keyvalue::Error) -> Self {
        Self::new(error)
    }
}
