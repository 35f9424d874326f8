//! One consumer: the messages it is still to acknowledge, and which of them can be delivered now.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use tokio::sync::Notify;

use super::log::Known;
use super::state::has_room_to_give_back;
use crate::{ConsumerInfo, topic};

/// What is known of a consumer. Those who share its name share this.
pub(super) struct Group {
    pub(super) known: Known,
    entries: HashMap<u64, Entry>,
    /// What can be delivered now, the earliest first.
    ready: BTreeSet<u64>,
    /// When a message can be delivered that cannot be now, the next first.
    timers: BTreeSet<(u64, u64)>,
    /// If the consumer is ordered: the unacknowledged messages of each key. Only the first of each can be delivered.
    lanes: HashMap<Arc<str>, BTreeSet<u64>>,
    /// If the consumer is ordered: the keys of the messages that have one.
    keys: HashMap<u64, Arc<str>>,
    /// Wakes those who wait for messages: each time that there is one more, or that one comes earlier than they know.
    pub(super) wake: Arc<Notify>,
}

/// A message that is not acknowledged. There may be many of them, so this is small.
struct Entry {
    /// How often it was delivered.
    attempts: u32,
    place: Place,
    /// When somebody's time for it is over, or when it is to be delivered again.
    due: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Ready,
    /// An earlier message of its key is not acknowledged.
    Held,
    /// Somebody handles it until it is due.
    Taken,
    /// It is to be delivered again when it is due.
    Waiting,
}

impl Group {
    pub(super) fn new(known: Known) -> Self {
        Self {
            known,
            entries: HashMap::new(),
            ready: BTreeSet::new(),
            timers: BTreeSet::new(),
            lanes: HashMap::new(),
            keys: HashMap::new(),
            wake: Arc::new(Notify::new()),
        }
    }

    pub(super) fn wants(&self, topic: &str) -> bool {
        self.known.topics.iter().any(|filter| topic::matches(filter, topic))
    }

    /// The messages that are not acknowledged, in any order.
    pub(super) fn sequences(&self) -> impl Iterator<Item = u64> {
        self.entries.keys().copied()
    }

    pub(super) fn has(&self, sequence: u64) -> bool {
        self.entries.contains_key(&sequence)
    }

    /// A message that has been delivered `attempts` times is to be delivered, not before `not_before`.
    pub(super) fn add(&mut self, sequence: u64, key: Option<&Arc<str>>, attempts: u32, not_before: u64) {
        if let Some(key) = key.filter(|_| self.known.ordered) {
            self.enter_lane(sequence, key);
        }
        self.entries.insert(sequence, Entry { attempts, place: Place::Held, due: 0 });
        self.wait(sequence, not_before);
    }

    fn enter_lane(&mut self, sequence: u64, key: &Arc<str>) {
        self.keys.insert(sequence, key.clone());
        let lane = self.lanes.entry(key.clone()).or_default();
        let first = lane.first().copied();
        lane.insert(sequence);
        // Only topics that changed bring a message that is older than others.
        let overtaken = first.filter(|first| *first > sequence);
        if let Some(overtaken) = overtaken.filter(|overtaken| self.ready.remove(overtaken)) {
            self.put(overtaken, Place::Held, 0);
        }
    }

    /// The message can be delivered, unless an earlier one of its key holds it back.
    fn offer(&mut self, sequence: u64) {
        let lane = self.keys.get(&sequence).and_then(|key| self.lanes.get(key));
        if lane.and_then(BTreeSet::first).is_some_and(|first| *first < sequence) {
            self.put(sequence, Place::Held, 0);
        } else if self.put(sequence, Place::Ready, 0) {
            self.ready.insert(sequence);
            self.wake.notify_one();
        }
    }

    /// Tells whether the message is there.
    fn put(&mut self, sequence: u64, place: Place, due: u64) -> bool {
        let Some(entry) = self.entries.get_mut(&sequence) else { return false };
        (entry.place, entry.due) = (place, due);
        true
    }

    /// The message can be delivered at `until`; 0 is at once.
    fn wait(&mut self, sequence: u64, until: u64) {
        if until > 0 { self.delay(sequence, Place::Waiting, until) } else { self.offer(sequence) }
    }

    /// Leaves the message alone until then.
    fn delay(&mut self, sequence: u64, place: Place, until: u64) {
        if !self.put(sequence, place, until) {
            return;
        }
        if self.timers.first().is_none_or(|(next, _)| until < *next) {
            self.wake.notify_one();
        }
        self.timers.insert((until, sequence));
    }

    /// Takes the message out of wherever it waits.
    fn lift(&mut self, sequence: u64) {
        let Some(entry) = self.entries.get(&sequence) else { return };
        match entry.place {
            Place::Ready => drop(self.ready.remove(&sequence)),
            Place::Taken | Place::Waiting => drop(self.timers.remove(&(entry.due, sequence))),
            Place::Held => {}
        }
    }

    /// Takes the next message that can be delivered, and tells how often that makes.
    pub(super) fn take(&mut self, now: u64) -> Option<(u64, u32)> {
        while let Some((_, sequence)) = self.timers.first().filter(|(due, _)| *due <= now).copied() {
            self.timers.pop_first();
            self.offer(sequence);
        }
        let sequence = self.ready.pop_first()?;
        let entry = self.entries.get_mut(&sequence)?;
        entry.attempts = entry.attempts.saturating_add(1);
        let attempts = entry.attempts;
        let until = now.saturating_add(self.known.ack_wait);
        self.put(sequence, Place::Taken, until);
        // Nobody needs to be woken for this timer: whoever took it looks again before waiting.
        self.timers.insert((until, sequence));
        Some((sequence, attempts))
    }

    /// When something can be delivered that cannot be now.
    pub(super) fn next(&self) -> Option<u64> {
        self.timers.first().map(|(due, _)| *due)
    }

    /// Whether `attempt` is the last delivery of the message, and nothing has become of it.
    pub(super) fn current(&self, sequence: u64, attempt: u32) -> bool {
        self.entries.get(&sequence).is_some_and(|entry| {
            // One that came back because its time was over may still be spoken for, until it is taken again.
            entry.attempts == attempt && entry.place != Place::Waiting
        })
    }

    /// The delivery never happened.
    pub(super) fn give_back(&mut self, sequence: u64) -> u32 {
        self.lift(sequence);
        let Some(entry) = self.entries.get_mut(&sequence) else { return 0 };
        entry.attempts = entry.attempts.saturating_sub(1);
        let attempts = entry.attempts;
        self.offer(sequence);
        attempts
    }

    /// The message is to be delivered again at `until`; 0 is at once.
    pub(super) fn retry(&mut self, sequence: u64, until: u64) {
        self.lift(sequence);
        self.wait(sequence, until);
    }

    /// Whoever handles the message goes on until `now` and the time that a delivery has.
    pub(super) fn extend(&mut self, sequence: u64, now: u64) {
        self.lift(sequence);
        self.delay(sequence, Place::Taken, now.saturating_add(self.known.ack_wait));
    }

    /// The message is not to be delivered any more. Tells whether it was.
    pub(super) fn remove(&mut self, sequence: u64) -> bool {
        self.lift(sequence);
        if self.entries.remove(&sequence).is_none() {
            return false;
        }
        if has_room_to_give_back(self.entries.len(), self.entries.capacity()) {
            self.entries.shrink_to(self.entries.len() * 2);
        }
        let Some(key) = self.keys.remove(&sequence) else { return true };
        let Some(lane) = self.lanes.get_mut(&key) else { return true };
        lane.remove(&sequence);
        match lane.first().copied() {
            None => drop(self.lanes.remove(&key)),
            Some(first) if self.entries.get(&first).is_some_and(|entry| entry.place == Place::Held) => {
                self.offer(first);
            }
            Some(_) => {}
        }
        true
    }

    /// Keys begin to count, or no longer do.
    pub(super) fn reorder(&mut self, ordered: bool, key: impl Fn(u64) -> Option<Arc<str>>) {
        self.known.ordered = ordered;
        self.lanes.clear();
        self.keys.clear();
        self.ready.clear();
        let mut free = Vec::new();
        for (sequence, entry) in &self.entries {
            if let Some(key) = key(*sequence).filter(|_| ordered) {
                self.lanes.entry(key.clone()).or_default().insert(*sequence);
                self.keys.insert(*sequence, key);
            }
            if matches!(entry.place, Place::Ready | Place::Held) {
                free.push(*sequence);
            }
        }
        free.into_iter().for_each(|sequence| self.offer(sequence));
    }

    pub(super) fn info(&self) -> ConsumerInfo {
        let count = |test: fn(u32) -> bool| {
            let found = self.entries.values().filter(|entry| test(entry.attempts)).count();
            u64::try_from(found).unwrap_or(u64::MAX)
        };
        ConsumerInfo {
            name: self.known.name.clone(),
            topics: self.known.topics.clone(),
            owner: self.known.owner.clone(),
            pending: count(|attempts| attempts == 0),
            in_flight: count(|attempts| attempts > 0),
            redelivered: count(|attempts| attempts > 1),
        }
    }
}
