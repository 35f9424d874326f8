//! The embedded engine behind `memory:` and `file:`: one process that keeps messages and delivers them until they are
//! handled.
//!
//! The state is in memory and changes under a lock; a log keeps the messages and writes each change down. An operation
//! changes the state, hands its changes to the log before it lets go of the lock, and ends when the log has written them.
//! So others may act on what is not yet written, but nothing of theirs is written, or handed out, before it.

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
pub(crate) use self::log::{Burial, Change, Known, Log, Progress, Read, Recorded, Stored, failed};
pub(crate) use self::state::State;
use crate::{Consumer, Error, ErrorKind, INBOX, Message, Result, Subscription};

/// How long a message's id is known, in milliseconds.
pub(crate) const WINDOW: u64 = 120_000;

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

    /// What writes down its changes.
    pub(crate) fn log(&self) -> &L {
        &self.log
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // A panic under the lock leaves nothing that a consumer could mistake: a message is delivered once more at worst.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the state, and waits until the log has written that down.
    async fn change<R: Send>(&self, change: impl FnOnce(&mut State, &mut Vec<Change>) -> R + Send) -> Result<R> {
        let room = self.room().await?;
        let (result, recorded) = {
            let mut state = self.state();
            let mut journal = Vec::new();
            let result = change(&mut state, &mut journal);
            (result, self.log.record(room, journal, Vec::new()))
        };
        self.settle(recorded).await?;
        Ok(result)
    }

    /// Waits until the log has room for one more.
    async fn room(&self) -> Result<L::Room> {
        self.log.room().await.inspect_err(|error| self.fail(error))
    }

    /// Waits until the log has written something down.
    async fn settle(&self, recorded: Recorded) -> Result<Read> {
        recorded.wait().await.inspect_err(|error| self.fail(error))
    }

    /// Nothing can be kept any more: whoever waits for messages is told.
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

    /// Answers go to inboxes, and to consumers that want them; a topic that nobody reads is not a reason to keep one.
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
                false => Err(Error::new(ErrorKind::NoResponders, "nobody takes messages of that topic")),
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

    pub(crate) async fn subscribe(self: &Arc<Self>, subscription: &Subscription) -> anyhow::Result<Box<dyn Consumer>> {
        let subscribed = self.change(|state, journal| state.subscribe(subscription, journal)).await?;
        let (id, adoption) = subscribed.map_err(|refused| {
            let problem = refused.refusal.explain(&subscription.consumer, Some(refused.skipped));
            tempo_settings::Error::new(tempo_settings::ErrorKind::BadConfiguration, format!("{}: {problem}", self.name))
        })?;
        Ok(Box::new(Member::new(self.clone(), id, adoption)))
    }
}

/// Implements [`Broker`](crate::Broker) for a type whose field `engine` does the work.
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

            async fn subscribe(&self, subscription: &crate::Subscription) -> anyhow::Result<Box<dyn crate::Consumer>> {
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
