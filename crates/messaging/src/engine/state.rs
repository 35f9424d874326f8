//! The in-memory state of an engine: messages, consumers and the used capacity. Every change goes to a journal for the
//! log.

mod consumers;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use super::group::Group;
use super::ids::{Fingerprint, RecentIds, fingerprint};
use super::log::{Change, ConsumerRecord, DeadLetterRecord, Progress};
use crate::{ConsumerInfo, Error, ErrorKind, MESSAGE_ID, Message, Result};

/// Bytes counted per message in addition to its own.
const MESSAGE_OVERHEAD_BYTES: usize = 256;
/// Message ids may take 1/8 of the capacity in addition.
const ID_BUDGET_DIVISOR: usize = 8;
/// Maximum interned topics.
const MAX_INTERNED_TOPICS: usize = 1024;

/// The state of an engine.
pub(crate) struct State {
    /// Unordered: a B-tree that grows only at its end is half empty, and there may be many messages.
    messages: HashMap<u64, Entry>,
    /// Consumers that are done with a message which others still need.
    done: HashMap<u64, Vec<u32>>,
    groups: BTreeMap<u32, Group>,
    /// Size of each dead letter, in bytes.
    letters: BTreeMap<u64, usize>,
    ids: RecentIds,
    topics: HashSet<Arc<str>>,
    /// Sequences of the last message and the last dead letter.
    sequence: u64,
    letter: u64,
    /// Used and maximum bytes.
    size: usize,
    capacity: usize,
    /// The error that stopped the log.
    pub(super) failed: Option<Error>,
}

/// Returns whether a table is mostly empty after a burst and should release memory.
pub(super) fn should_shrink(len: usize, capacity: usize) -> bool {
    capacity > 1024 && capacity / 8 > len
}

/// A message. Kept small, as there may be many.
struct Entry {
    topic: Arc<str>,
    key: Option<Arc<str>>,
    /// In bytes, with the overhead; messages are below 4 GiB.
    size: u32,
    /// Number of consumers that have not acknowledged it. 0: no consumer matches it yet.
    wanted: u32,
}

impl State {
    /// Creates the state of an empty engine that stores up to `capacity` bytes and remembers ids for `window`
    /// milliseconds.
    pub(crate) fn new(capacity: usize, window: u64) -> Self {
        Self {
            messages: HashMap::new(),
            done: HashMap::new(),
            groups: BTreeMap::new(),
            letters: BTreeMap::new(),
            ids: RecentIds::new(capacity.checked_div(ID_BUDGET_DIVISOR).unwrap_or_default(), window),
            topics: HashSet::new(),
            sequence: 0,
            letter: 0,
            size: 0,
            capacity,
            failed: None,
        }
    }

    /// Accepts `message` if it fits. A duplicate is accepted and dropped.
    pub(super) fn publish(&mut self, message: Message, now: u64, journal: &mut Vec<Change>) -> Result<()> {
        let id = message.header(MESSAGE_ID).map(fingerprint);
        if id.is_some_and(|id| self.ids.is_duplicate(&id, now, journal)) {
            return Ok(());
        }
        if self.size.saturating_add(message.size()).saturating_add(MESSAGE_OVERHEAD_BYTES) > self.capacity {
            return Err(Error::new(ErrorKind::QuotaExceeded, "the broker is full"));
        }
        if let Some(id) = id {
            self.ids.remember(id, now, journal);
        }
        self.accept(message, now, journal);
        Ok(())
    }

    fn accept(&mut self, message: Message, now: u64, journal: &mut Vec<Change>) {
        let sequence = self.sequence.saturating_add(1);
        self.insert(sequence, &message.topic, message.key.as_deref(), message.size(), &[]);
        journal.push(Change::Publish { sequence, timestamp: now, message });
    }

    /// Inserts a message into all matching consumers. `progress` restores how far they are with it.
    pub(crate) fn insert(
        &mut self,
        sequence: u64,
        topic: &str,
        key: Option<&str>,
        size: usize,
        progress: &[(u32, Progress)],
    ) {
        let size = u32::try_from(size.saturating_add(MESSAGE_OVERHEAD_BYTES)).unwrap_or(u32::MAX);
        let key = key.map(Arc::from);
        let is_done = |(id, progress): &(u32, Progress)| (*progress == Progress::Done).then_some(*id);
        let done: Vec<u32> = progress.iter().filter_map(is_done).collect();
        let mut wanted = 0u32;
        for (id, group) in &mut self.groups {
            if done.contains(id) || !group.wants(topic) {
                continue;
            }
            let (attempts, not_before) = match progress.iter().find(|(consumer, _)| consumer == id) {
                Some((_, Progress::Delivered { attempts, not_before })) => (*attempts, *not_before),
                _ => (0, 0),
            };
            group.add(sequence, key.as_ref(), attempts, not_before);
            wanted = wanted.saturating_add(1);
        }
        let entry = Entry { topic: self.shared(topic), key, size, wanted };
        self.messages.insert(sequence, entry);
        if !done.is_empty() {
            self.done.insert(sequence, done);
        }
        self.size = self.size.saturating_add(size as usize);
        self.sequence = self.sequence.max(sequence);
    }

    /// Interns `topic`.
    fn shared(&mut self, topic: &str) -> Arc<str> {
        if let Some(shared) = self.topics.get(topic) {
            return shared.clone();
        }
        if self.topics.len() >= MAX_INTERNED_TOPICS {
            self.topics.clear();
        }
        let shared: Arc<str> = topic.into();
        self.topics.insert(shared.clone());
        shared
    }

    /// Restores a logged consumer. Restore consumers before messages.
    pub(crate) fn insert_consumer(&mut self, id: u32, record: ConsumerRecord) {
        self.groups.insert(id, Group::new(record));
    }

    /// Restores a logged dead letter whose message has `size` bytes.
    pub(crate) fn insert_letter(&mut self, letter: u64, size: usize) {
        let size = size.saturating_add(MESSAGE_OVERHEAD_BYTES);
        self.letters.insert(letter, size);
        self.size = self.size.saturating_add(size);
        self.letter = self.letter.max(letter);
    }

    /// Restores a logged id. Call in order of expiry.
    pub(crate) fn insert_id(&mut self, until: u64, id: Fingerprint) {
        self.ids.insert(until, id);
    }

    /// Restores the last assigned sequences.
    pub(crate) fn advance(&mut self, sequence: u64, letter: u64) {
        self.sequence = self.sequence.max(sequence);
        self.letter = self.letter.max(letter);
    }

    /// Returns whether a consumer matches `topic`.
    pub(super) fn wants(&self, topic: &str) -> bool {
        self.groups.values().any(|group| group.wants(topic))
    }

    pub(super) fn group(&mut self, consumer: u32) -> Option<&mut Group> {
        self.groups.get_mut(&consumer)
    }

    pub(super) fn groups(&self) -> impl Iterator<Item = &Group> {
        self.groups.values()
    }

    fn remove(&mut self, sequence: u64, journal: &mut Vec<Change>) {
        if let Some(entry) = self.messages.remove(&sequence) {
            self.done.remove(&sequence);
            self.size = self.size.saturating_sub(entry.size as usize);
            if should_shrink(self.messages.len(), self.messages.capacity()) {
                self.messages.shrink_to(self.messages.len() * 2);
            }
            journal.push(Change::Remove { sequence });
        }
    }

    /// Takes up to `most` deliverable messages, each with its attempt number.
    pub(super) fn take(&mut self, consumer: u32, most: usize, now: u64, journal: &mut Vec<Change>) -> Vec<(u64, u32)> {
        let Some(group) = self.groups.get_mut(&consumer) else { return Vec::new() };
        let taken: Vec<(u64, u32)> = std::iter::from_fn(|| group.take(now)).take(most).collect();
        journal.extend(taken.iter().map(|(sequence, attempts)| {
            let progress = Progress::Delivered { attempts: *attempts, not_before: 0 };
            Change::Progress { sequence: *sequence, consumer, progress }
        }));
        taken
    }

    /// Returns taken messages that reached no member.
    pub(super) fn give_back(&mut self, consumer: u32, taken: &[(u64, u32)], journal: &mut Vec<Change>) {
        let Some(group) = self.groups.get_mut(&consumer) else { return };
        for (sequence, attempt) in taken.iter().copied() {
            if !group.current(sequence, attempt) {
                continue;
            }
            let progress = match group.give_back(sequence) {
                0 => Progress::Fresh,
                attempts => Progress::Delivered { attempts, not_before: 0 },
            };
            journal.push(Change::Progress { sequence, consumer, progress });
        }
    }

    /// Acknowledges the message for the consumer.
    pub(super) fn finish(&mut self, consumer: u32, sequence: u64, journal: &mut Vec<Change>) {
        let known = self.groups.get_mut(&consumer).is_some_and(|group| group.remove(sequence));
        let Some(entry) = self.messages.get_mut(&sequence).filter(|_| known) else { return };
        entry.wanted = entry.wanted.saturating_sub(1);
        if entry.wanted == 0 {
            self.remove(sequence, journal);
        } else {
            self.done.entry(sequence).or_default().push(consumer);
            journal.push(Change::Progress { sequence, consumer, progress: Progress::Done });
        }
    }

    /// Redelivers the message at `until`, unless that attempt was settled otherwise.
    pub(super) fn retry(&mut self, consumer: u32, taken: (u64, u32), until: u64, journal: &mut Vec<Change>) {
        let (sequence, attempts) = taken;
        let Some(group) = self.groups.get_mut(&consumer) else { return };
        if group.current(sequence, attempts) {
            group.retry(sequence, until);
            let progress = Progress::Delivered { attempts, not_before: until };
            journal.push(Change::Progress { sequence, consumer, progress });
        }
    }

    /// Makes the message a dead letter, unless that attempt was settled otherwise.
    pub(super) fn reject(
        &mut self,
        consumer: u32,
        taken: (u64, u32),
        reason: &str,
        now: u64,
        journal: &mut Vec<Change>,
    ) {
        let (sequence, attempts) = taken;
        let Some(group) = self.groups.get(&consumer).filter(|group| group.current(sequence, attempts)) else { return };
        let Some(entry) = self.messages.get(&sequence) else { return };
        let name = group.record.name.clone();
        // Not limited by the capacity, even if several consumers reject the message: it was accepted before.
        self.insert_letter(self.letter.saturating_add(1), (entry.size as usize).saturating_sub(MESSAGE_OVERHEAD_BYTES));
        journal.push(Change::DeadLetter(DeadLetterRecord {
            letter: self.letter,
            sequence,
            consumer: name,
            attempts,
            reason: reason.to_owned(),
            timestamp: now,
        }));
        self.finish(consumer, sequence, journal);
    }

    /// Restarts `ack_wait`, unless that attempt was settled otherwise.
    pub(super) fn extend(&mut self, consumer: u32, (sequence, attempt): (u64, u32), now: u64) {
        if let Some(group) = self.group(consumer).filter(|group| group.current(sequence, attempt)) {
            group.extend(sequence, now);
        }
    }

    /// Removes a dead letter. Returns whether it existed.
    pub(super) fn remove_dead_letter(&mut self, letter: u64, journal: &mut Vec<Change>) -> bool {
        let Some(size) = self.letters.remove(&letter) else { return false };
        self.size = self.size.saturating_sub(size);
        journal.push(Change::RemoveDeadLetter { letter });
        true
    }

    /// Publishes a dead letter's message again, without deduplication or a capacity check. Returns whether the letter
    /// existed.
    pub(super) fn replay(&mut self, letter: u64, message: Message, now: u64, journal: &mut Vec<Change>) -> bool {
        let there = self.remove_dead_letter(letter, journal);
        if there {
            self.accept(message, now, journal);
        }
        there
    }

    /// The number of messages and of dead letters, and the consumers by name.
    pub(super) fn info(&self) -> (usize, usize, Vec<ConsumerInfo>) {
        let mut consumers: Vec<ConsumerInfo> = self.groups.values().map(Group::info).collect();
        consumers.sort_unstable_by(|one, other| one.name.cmp(&other.name));
        (self.messages.len(), self.letters.len(), consumers)
    }
}
