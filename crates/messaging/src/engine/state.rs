//! What an engine knows without asking its log: which messages there are, who is still to have them, and how much room
//! is left. Whatever changes it is entered in a journal, for the log.

mod consumers;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use super::group::Group;
use super::ids::{Fingerprint, Ids, fingerprint};
use super::log::{Burial, Change, Known, Progress};
use crate::{ConsumerInfo, Error, ErrorKind, MESSAGE_ID, Message, Result};

/// What a message takes besides its own bytes.
const OVERHEAD: usize = 256;
/// The part of the room that ids of messages may take besides.
const IDS: usize = 8;
/// Topics whose text is shared.
const TOPICS: usize = 1024;

/// The content of an engine.
pub(crate) struct State {
    /// Not in their order: a tree that only grows at its end is half empty, and there may be many of them.
    messages: HashMap<u64, Entry>,
    /// The consumers that are done with a message while others are not.
    done: HashMap<u64, Vec<u32>>,
    groups: BTreeMap<u32, Group>,
    /// What each dead letter takes.
    letters: BTreeMap<u64, usize>,
    ids: Ids,
    topics: HashSet<Arc<str>>,
    /// Of the last message and the last dead letter.
    sequence: u64,
    letter: u64,
    /// What is kept and may be kept, in bytes.
    size: usize,
    capacity: usize,
    /// Why nothing can be kept any more.
    pub(super) failed: Option<Error>,
}

/// Whether a burst is over that needed a table of that capacity.
pub(super) fn has_room_to_give_back(len: usize, capacity: usize) -> bool {
    capacity > 1024 && capacity / 8 > len
}

/// A message. There may be many of them, so this is small.
struct Entry {
    topic: Arc<str>,
    key: Option<Arc<str>>,
    /// In bytes, with the overhead; a message of 4 GiB does not come.
    size: u32,
    /// How many consumers are still to acknowledge it. None: it waits for one that wants it.
    wanted: u32,
}

impl State {
    /// The state of an empty engine, in which `capacity` bytes may be kept, and ids be known for `window` milliseconds.
    pub(crate) fn new(capacity: usize, window: u64) -> Self {
        Self {
            messages: HashMap::new(),
            done: HashMap::new(),
            groups: BTreeMap::new(),
            letters: BTreeMap::new(),
            ids: Ids::new(capacity.checked_div(IDS).unwrap_or_default(), window),
            topics: HashSet::new(),
            sequence: 0,
            letter: 0,
            size: 0,
            capacity,
            failed: None,
        }
    }

    /// Accepts `message` if there is room. A duplicate is accepted and forgotten.
    pub(super) fn publish(&mut self, message: Message, now: u64, journal: &mut Vec<Change>) -> Result<()> {
        let id = message.header(MESSAGE_ID).map(fingerprint);
        if id.is_some_and(|id| self.ids.knows(&id, now, journal)) {
            return Ok(());
        }
        if self.size.saturating_add(message.size()).saturating_add(OVERHEAD) > self.capacity {
            return Err(Error::new(ErrorKind::QuotaExceeded, "there is no room for more messages"));
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

    /// Takes up a message, and tells everybody who wants it. `progress` says how far some are.
    pub(crate) fn insert(
        &mut self,
        sequence: u64,
        topic: &str,
        key: Option<&str>,
        size: usize,
        progress: &[(u32, Progress)],
    ) {
        let size = u32::try_from(size.saturating_add(OVERHEAD)).unwrap_or(u32::MAX);
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

    /// The text of `topic`, which most messages share with others.
    fn shared(&mut self, topic: &str) -> Arc<str> {
        if let Some(shared) = self.topics.get(topic) {
            return shared.clone();
        }
        if self.topics.len() >= TOPICS {
            self.topics.clear();
        }
        let shared: Arc<str> = topic.into();
        self.topics.insert(shared.clone());
        shared
    }

    /// Takes up a consumer that was written down. Consumers come before messages.
    pub(crate) fn insert_consumer(&mut self, id: u32, known: Known) {
        self.groups.insert(id, Group::new(known));
    }

    /// Takes up a dead letter that was written down, of a message of `size` bytes.
    pub(crate) fn insert_letter(&mut self, letter: u64, size: usize) {
        let size = size.saturating_add(OVERHEAD);
        self.letters.insert(letter, size);
        self.size = self.size.saturating_add(size);
        self.letter = self.letter.max(letter);
    }

    /// Takes up an id that was written down. The next to be forgotten comes first.
    pub(crate) fn insert_id(&mut self, until: u64, id: Fingerprint) {
        self.ids.insert(until, id);
    }

    /// Takes up which sequences were given, even if nothing of them is kept.
    pub(crate) fn advance(&mut self, sequence: u64, letter: u64) {
        self.sequence = self.sequence.max(sequence);
        self.letter = self.letter.max(letter);
    }

    /// Whether some consumer's topics match `topic`.
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
            if has_room_to_give_back(self.messages.len(), self.messages.capacity()) {
                self.messages.shrink_to(self.messages.len() * 2);
            }
            journal.push(Change::Remove { sequence });
        }
    }

    /// Takes up to `most` messages that can be delivered, each with how often that makes.
    pub(super) fn take(&mut self, consumer: u32, most: usize, now: u64, journal: &mut Vec<Change>) -> Vec<(u64, u32)> {
        let Some(group) = self.groups.get_mut(&consumer) else { return Vec::new() };
        let taken: Vec<(u64, u32)> = std::iter::from_fn(|| group.take(now)).take(most).collect();
        journal.extend(taken.iter().map(|(sequence, attempts)| {
            let progress = Progress::Delivered { attempts: *attempts, not_before: 0 };
            Change::Progress { sequence: *sequence, consumer, progress }
        }));
        taken
    }

    /// What was taken never reached anybody.
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

    /// The consumer is done with the message.
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

    /// The message is to be delivered again at `until`, unless something else has become of that delivery.
    pub(super) fn retry(&mut self, consumer: u32, taken: (u64, u32), until: u64, journal: &mut Vec<Change>) {
        let (sequence, attempts) = taken;
        let Some(group) = self.groups.get_mut(&consumer) else { return };
        if group.current(sequence, attempts) {
            group.retry(sequence, until);
            let progress = Progress::Delivered { attempts, not_before: until };
            journal.push(Change::Progress { sequence, consumer, progress });
        }
    }

    /// The message becomes a dead letter, unless something else has become of that delivery.
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
        let name = group.known.name.clone();
        // What was accepted is never refused, even if several consumers reject it and there is less room than that.
        self.insert_letter(self.letter.saturating_add(1), (entry.size as usize).saturating_sub(OVERHEAD));
        journal.push(Change::Bury(Burial {
            letter: self.letter,
            sequence,
            consumer: name,
            attempts,
            reason: reason.to_owned(),
            timestamp: now,
        }));
        self.finish(consumer, sequence, journal);
    }

    /// Whoever handles the message goes on, unless something else has become of that delivery.
    pub(super) fn extend(&mut self, consumer: u32, (sequence, attempt): (u64, u32), now: u64) {
        if let Some(group) = self.group(consumer).filter(|group| group.current(sequence, attempt)) {
            group.extend(sequence, now);
        }
    }

    /// Removes a dead letter. Tells whether it was there.
    pub(super) fn exhume(&mut self, letter: u64, journal: &mut Vec<Change>) -> bool {
        let Some(size) = self.letters.remove(&letter) else { return false };
        self.size = self.size.saturating_sub(size);
        journal.push(Change::Exhume { letter });
        true
    }

    /// Publishes a dead letter's message anew. It is no duplicate of itself, and has been given room before. Tells whether
    /// the letter was there.
    pub(super) fn replay(&mut self, letter: u64, message: Message, now: u64, journal: &mut Vec<Change>) -> bool {
        let there = self.exhume(letter, journal);
        if there {
            self.accept(message, now, journal);
        }
        there
    }

    /// How many messages and dead letters there are, and the consumers by name.
    pub(super) fn info(&self) -> (usize, usize, Vec<ConsumerInfo>) {
        let mut consumers: Vec<ConsumerInfo> = self.groups.values().map(Group::info).collect();
        consumers.sort_unstable_by(|one, other| one.name.cmp(&other.name));
        (self.messages.len(), self.letters.len(), consumers)
    }
}
