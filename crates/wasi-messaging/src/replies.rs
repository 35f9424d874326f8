//! Reply topics of received messages: the only inboxes that a component may send to.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use crate::{Broker, Message};

/// Maximum remembered reply topics per instance.
const MAX_REMEMBERED: usize = 64;

/// A reply topic and its broker.
type Reply = (String, Arc<dyn Broker>);

/// The reply topics of answers to an instance's requests. Clones share them.
#[derive(Clone, Default)]
pub(crate) struct ReplyTopics {
    known: Arc<Mutex<VecDeque<Reply>>>,
}

impl ReplyTopics {
    /// Remembers the reply topics of `answers`.
    pub(crate) fn remember(&self, answers: &[Message], broker: &Arc<dyn Broker>) {
        for topic in answers.iter().filter_map(|answer| answer.reply_to.as_ref()) {
            let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
            known.truncate(MAX_REMEMBERED.saturating_sub(1));
            known.push_front((topic.clone(), broker.clone()));
        }
    }

    /// Returns the broker of the reply topic `topic`.
    pub(crate) fn broker(&self, topic: &str) -> Option<Arc<dyn Broker>> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.iter().find(|(other, _)| other == topic).map(|(_, broker)| broker.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Recorder;

    #[test]
    fn the_last_are_remembered() {
        let broker: Arc<dyn Broker> = Arc::new(Recorder::default());
        let topics = ReplyTopics::default();
        let answer = |number: usize| Message::default().with_reply_to(number.to_string());
        let answers: Vec<Message> = (0..=MAX_REMEMBERED).map(answer).collect();
        topics.remember(&answers, &broker);
        topics.remember(&[Message::default()], &broker);
        let known = |number: usize| topics.broker(&number.to_string()).is_some();
        assert_eq!([0, 1, MAX_REMEMBERED, MAX_REMEMBERED + 1].map(known), [false, true, true, false]);
    }
}
