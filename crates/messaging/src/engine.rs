//! The embedded engine behind `memory:` and `file:`: stores messages in one process and delivers them until they are
//! acknowledged.
//!
//! The state is in memory, behind a lock; a log stores messages and changes. An operation changes the state, queues its
//! changes to the log before it releases the lock, and completes when the log has committed them. So other operations
//! may act on uncommitted state, but the log commits theirs, and delivers their messages, only afterwards.

mod clock;
mod consumer;
mod group;
mod ids;
mod inboxes;
mod log;
mod operator;
mod receipt;
mod state;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

pub(crate) use self::clock::Clock;
use self::consumer::Member;
pub(crate) use self::ids::Fingerprint;
use self::inboxes::Inboxes;
pub(crate) use self::log::{Change, ConsumerRecord, DeadLetterRecord, Log, Progress, Read, Recorded, Stored, failed};
pub(crate) use self::state::State;
use crate::{Consumer, Error, ErrorKind, INBOX, Message, Result, Subscription};

/// Length of the deduplication window, in milliseconds.
pub(crate) const DEDUP_WINDOW_MILLIS: u64 = 120_000;

/// An engine over the log `L`.
pub(crate) struct Engine<L> {
    /// The stream's name, for operators.
    name: String,
    clock: Clock,
    state: Mutex<State>,
    log: L,
    inboxes: Inboxes,
}

impl<L: Log> Engine<L> {
    pub(crate) fn new(name: String, clock: Clock, state: State, log: L) -> Self {
        Self { name, clock, state: Mutex::new(state), log, inboxes: Inboxes::default() }
    }

    /// The engine's log.
    pub(crate) fn log(&self) -> &L {
        &self.log
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // A panic under the lock leaves usable state: at worst a message is delivered once more.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the state, and waits until the log has committed the changes.
    async fn change<R: Send>(&self, change: impl FnOnce(&mut State, &mut Vec<Change>) -> R + Send) -> Result<R> {
        let permit = self.reserve().await?;
        let (result, recorded) = {
            let mut state = self.state();
            let mut journal = Vec::new();
            let result = change(&mut state, &mut journal);
            (result, self.log.record(permit, journal, Vec::new()))
        };
        self.settle(recorded).await?;
        Ok(result)
    }

    /// Reserves a slot in the log.
    async fn reserve(&self) -> Result<L::Permit> {
        self.log.reserve().await.inspect_err(|error| self.fail(error))
    }

    /// Waits for the log to commit.
    async fn settle(&self, recorded: Recorded) -> Result<Read> {
        recorded.wait().await.inspect_err(|error| self.fail(error))
    }

    /// Marks the engine as failed and wakes all waiting members.
    fn fail(&self, error: &Error) {
        let mut state = self.state();
        state.failed.get_or_insert_with(|| error.clone());
        state.groups().for_each(|group| group.wake.notify_waiters());
    }

    pub(crate) async fn publish(&self, messages: Vec<Message>) -> Vec<Result<()>> {
        let count = messages.len();
        if let Some(error) = self.log.refusal() {
            return vec![Err(error); count];
        }
        let publish = |state: &mut State, journal: &mut Vec<Change>| {
            let now = self.clock.now();
            let publish = |message: Message| {
                if message.topic.starts_with(INBOX) {
                    self.inboxes.deliver(message);
                    return Ok(());
                }
                state.publish(message, now, journal)
            };
            messages.into_iter().map(publish).collect()
        };
        match self.change(publish).await {
            Ok(outcomes) => outcomes,
            Err(error) => vec![Err(error); count],
        }
    }

    /// Delivers an answer to an inbox, or stores it if a consumer matches its topic; else drops it.
    pub(crate) async fn reply(&self, answer: Message) -> Result<()> {
        if answer.topic.starts_with(INBOX) {
            self.inboxes.deliver(answer);
            return Ok(());
        }
        self.log.refusal().map_or(Ok(()), Err)?;
        let reply = |state: &mut State, journal: &mut Vec<Change>| match state.wants(&answer.topic) {
            true => state.publish(answer, self.clock.now(), journal),
            false => Ok(()),
        };
        self.change(reply).await?
    }

    pub(crate) async fn request(
        &self,
        mut message: Message,
        replies: usize,
        timeout: Duration,
    ) -> Result<Vec<Message>> {
        self.log.refusal().map_or(Ok(()), Err)?;
        let mut inbox = self.inboxes.inbox(replies);
        message.reply_to = Some(inbox.topic.clone());
        let mut answers = Vec::new();
        let asking = async {
            let publish = |state: &mut State, journal: &mut Vec<Change>| match state.wants(&message.topic) {
                true => state.publish(message, self.clock.now(), journal),
                false => Err(Error::new(ErrorKind::NoResponders, "no consumer takes messages of that topic")),
            };
            self.change(publish).await??;
            while answers.len() < replies.max(1) {
                let Some(answer) = inbox.answers.recv().await else { break };
                answers.push(answer);
            }
            Ok::<(), crate::Error>(())
        };
        if let Ok(outcome) = tokio::time::timeout(timeout, asking).await {
            outcome?;
        }
        if answers.is_empty() { Err(Error::new(ErrorKind::Timeout, "no answer came in time")) } else { Ok(answers) }
    }

    pub(crate) async fn subscribe(
        self: &Arc<Self>,
        subscription: &Subscription,
    ) -> tempo_settings::Result<Box<dyn Consumer>> {
        let subscribed = self.change(|state, journal| state.subscribe(subscription, journal)).await;
        let subscribed = subscribed.map_err(|error| {
            tempo_settings::Error::new(tempo_settings::ErrorKind::Unavailable, self.name.to_string()).with_source(error)
        })?;
        let (id, adoption) = subscribed.map_err(|refused| {
            let problem = refused.refusal.explain(&subscription.consumer, Some(refused.skipped));
            tempo_settings::Error::new(tempo_settings::ErrorKind::BadConfiguration, format!("{}: {problem}", self.name))
        })?;
        Ok(Box::new(Member::new(self.clone(), id, adoption)))
    }
}

/// Implements [`Broker`](crate::Broker) for a type by its field `engine`.
macro_rules! broker {
    ($broker:ty) => {
        #[async_trait::async_trait]
        impl crate::Broker for $broker {
            async fn publish(&self, messages: Vec<crate::Message>) -> Vec<crate::Result<()>> {
                self.engine.publish(messages).await
            }

            async fn reply(&self, answer: crate::Message) -> crate::Result<()> {
                self.engine.reply(answer).await
            }

            async fn request(
                &self,
                message: crate::Message,
                replies: usize,
                timeout: std::time::Duration,
            ) -> crate::Result<Vec<crate::Message>> {
                self.engine.request(message, replies, timeout).await
            }

            async fn subscribe(
                &self,
                subscription: &crate::Subscription,
            ) -> tempo_settings::Result<Box<dyn crate::Consumer>> {
                self.engine.subscribe(subscription).await
            }

            fn is_shared(&self) -> bool {
                false
            }

            fn operator(&self) -> Option<&dyn crate::Operator> {
                Some(&*self.engine)
            }
        }
    };
}

pub(crate) use broker;

#[cfg(test)]
mod model;
#[cfg(test)]
mod tests;
