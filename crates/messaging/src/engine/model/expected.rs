//! The model: what a broker keeps, written down as plainly as can be.

use std::collections::{BTreeMap, BTreeSet};

use super::{ACK_WAIT, End};
use crate::{ConsumerInfo, Message, Subscription, topic};

pub(super) const TOPICS: [&str; 4] = ["a.b", "a.c", "c", "c.b"];

pub(super) struct Model {
    pub(super) messages: BTreeMap<u64, Message>,
    consumers: Vec<Expected>,
    /// The message, the consumer's name, the attempts.
    pub(super) letters: BTreeMap<u64, (Message, String, u32)>,
    sequence: u64,
    letter: u64,
}

struct Expected {
    subscription: Subscription,
    /// As they were written when they last changed.
    topics: Vec<String>,
    waiting: BTreeMap<u64, Waiting>,
    done: BTreeSet<u64>,
}

#[derive(Clone, Copy, Default)]
struct Waiting {
    attempts: u32,
    /// It is not delivered before.
    until: u64,
    /// True once a consumer has fetched it, also after its delivery has ended.
    taken: bool,
}

impl Model {
    pub(super) fn new(subscriptions: &[Subscription]) -> Self {
        let consumer = |subscription: &Subscription| Expected {
            subscription: subscription.clone(),
            topics: subscription.topics.clone(),
            waiting: BTreeMap::new(),
            done: BTreeSet::new(),
        };
        let consumers = subscriptions.iter().map(consumer).collect();
        Self { messages: BTreeMap::new(), consumers, letters: BTreeMap::new(), sequence: 0, letter: 0 }
    }

    /// Adds a new message, and returns it.
    pub(super) fn publish(&mut self, topic: usize, key: Option<u8>) -> Message {
        let payload = format!("payload {}", self.sequence).into();
        let key = key.map(|key| key.to_string());
        let message = Message { topic: TOPICS[topic].into(), key, payload, ..Message::default() };
        self.keep(message.clone());
        message
    }

    fn keep(&mut self, message: Message) {
        self.sequence += 1;
        for consumer in self.consumers.iter_mut().filter(|consumer| consumer.wants(&message)) {
            consumer.waiting.insert(self.sequence, Waiting::default());
        }
        self.messages.insert(self.sequence, message);
    }

    /// What can be delivered now, in order.
    pub(super) fn ready(&self, consumer: usize, now: u64) -> Vec<u64> {
        let expected = &self.consumers[consumer];
        let key = |sequence: &u64| self.messages[sequence].key.clone();
        let free = |sequence: &u64| {
            let earlier = expected.waiting.range(..sequence);
            let held = earlier.into_iter().any(|(other, _)| key(other).is_some() && key(other) == key(sequence));
            !(expected.subscription.ordered && held)
        };
        let due = expected.waiting.iter().filter(|(_, waiting)| waiting.until <= now).map(|(sequence, _)| *sequence);
        due.filter(free).collect()
    }

    pub(super) fn take(&mut self, consumer: usize, most: usize, now: u64) -> Vec<(u64, u32, Message)> {
        let ready = self.ready(consumer, now);
        let take = |sequence: u64| {
            let waiting = self.consumers[consumer].waiting.get_mut(&sequence).unwrap();
            *waiting = Waiting { attempts: waiting.attempts + 1, until: now + ACK_WAIT, taken: true };
            (sequence, waiting.attempts, self.messages[&sequence].clone())
        };
        ready.into_iter().take(most).map(take).collect()
    }

    pub(super) fn finish(&mut self, consumer: usize, sequence: u64) {
        let expected = &mut self.consumers[consumer];
        if expected.waiting.remove(&sequence).is_some() {
            expected.done.insert(sequence);
            self.tidy();
        }
    }

    /// Removes messages that some consumer is done with and none still needs.
    fn tidy(&mut self) {
        let consumers = &self.consumers;
        self.messages.retain(|sequence, _| {
            let wanted = consumers.iter().any(|consumer| consumer.waiting.contains_key(sequence));
            wanted || !consumers.iter().any(|consumer| consumer.done.contains(sequence))
        });
    }

    pub(super) fn settle(&mut self, consumer: usize, sequence: u64, attempt: u32, end: End, now: u64) {
        let expected = &mut self.consumers[consumer];
        let waiting = expected.waiting.get_mut(&sequence);
        let current = waiting.filter(|waiting| waiting.attempts == attempt && waiting.taken);
        match (end, current) {
            (End::Ack, _) => self.finish(consumer, sequence),
            (End::Retry(0), Some(waiting)) => *waiting = Waiting { attempts: attempt, until: 0, taken: true },
            // A millisecond of which a part is over does not count.
            (End::Retry(delay), Some(waiting)) => {
                *waiting = Waiting { attempts: attempt, until: now + delay + 1, taken: false };
            }
            (End::Reject, Some(_)) => {
                self.letter += 1;
                let name = expected.subscription.consumer.clone();
                self.letters.insert(self.letter, (self.messages[&sequence].clone(), name, attempt));
                self.finish(consumer, sequence);
            }
            (End::Extend, Some(waiting)) => waiting.until = now + ACK_WAIT,
            _ => {}
        }
    }

    /// How many messages wait that `subscription` leaves out.
    pub(super) fn skipped(&self, consumer: usize, subscription: &Subscription) -> u64 {
        let wants = |topic: &str| subscription.topics.iter().any(|filter| topic::matches(filter, topic));
        let waiting = self.consumers[consumer].waiting.keys();
        waiting.filter(|sequence| !wants(&self.messages[sequence].topic)).count() as u64
    }

    pub(super) fn subscribe(&mut self, consumer: usize, subscription: &Subscription) {
        let expected = &mut self.consumers[consumer];
        expected.subscription = subscription.clone();
        if !topic::is_superset(&expected.topics, &subscription.topics)
            || !topic::is_superset(&subscription.topics, &expected.topics)
        {
            expected.topics.clone_from(&subscription.topics);
        }
        for (sequence, message) in &self.messages {
            if !expected.wants(message) {
                expected.waiting.remove(sequence);
            } else if !expected.done.contains(sequence) {
                expected.waiting.entry(*sequence).or_default();
            }
        }
        self.tidy();
    }

    pub(super) fn replay(&mut self, letter: u64) {
        let (message, _, _) = self.letters.remove(&letter).unwrap();
        self.keep(message);
    }

    /// Ends all deliveries in progress.
    pub(super) fn reopen(&mut self) {
        for waiting in self.consumers.iter_mut().flat_map(|consumer| consumer.waiting.values_mut()) {
            if waiting.taken {
                waiting.until = 0;
            }
        }
    }

    pub(super) fn is_done(&self, consumer: usize) -> bool {
        self.consumers[consumer].waiting.is_empty()
    }

    pub(super) fn info(&self) -> Vec<ConsumerInfo> {
        let info = |consumer: &Expected| {
            let count = |test: fn(u32) -> bool| {
                consumer.waiting.values().filter(|waiting| test(waiting.attempts)).count() as u64
            };
            ConsumerInfo {
                name: consumer.subscription.consumer.clone(),
                topics: consumer.topics.clone(),
                owner: None,
                pending: count(|attempts| attempts == 0),
                in_flight: count(|attempts| attempts > 0),
                redelivered: count(|attempts| attempts > 1),
            }
        };
        self.consumers.iter().map(info).collect()
    }
}

impl Expected {
    fn wants(&self, message: &Message) -> bool {
        self.subscription.topics.iter().any(|filter| topic::matches(filter, &message.topic))
    }
}
