//! One consumer: its unacknowledged messages, and which of them are deliverable.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use tokio::sync::Notify;

use super::log::ConsumerRecord;
use super::state::should_shrink;
use crate::{ConsumerInfo, topic};

/// State of a consumer, shared by its members.
pub(super) struct Group {
    pub(super) record: ConsumerRecord,
    entries: HashMap<u64, Entry>,
    /// Deliverable sequences.
    ready: BTreeSet<u64>,
    /// Due times of in-flight and delayed messages.
    timers: BTreeSet<(u64, u64)>,
    /// Ordered consumers: the unacknowledged messages of each key. Only the first of each is deliverable.
    lanes: HashMap<Arc<str>, BTreeSet<u64>>,
    /// Ordered consumers: the keys of messages that have one.
    keys: HashMap<u64, Arc<str>>,
    /// Wakes waiting members when a message becomes deliverable or the next due time moves earlier.
    pub(super) wake: Arc<Notify>,
}

/// An unacknowledged message. Kept small, as there may be many.
struct Entry {
    /// Number of deliveries.
    attempts: u32,
    state: EntryState,
    /// When `ack_wait` expires, or when to redeliver.
    due: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum EntryState {
    Ready,
    /// An earlier message of its key is unacknowledged.
    Blocked,
    /// Delivered; `ack_wait` expires at `due`.
    InFlight,
    /// Redelivered at `due`.
    Delayed,
}

impl Group {
    pub(super) fn new(record: ConsumerRecord) -> Self {
        Self {
            record,
            entries: HashMap::new(),
            ready: BTreeSet::new(),
            timers: BTreeSet::new(),
            lanes: HashMap::new(),
            keys: HashMap::new(),
            wake: Arc::new(Notify::new()),
        }
    }

    pub(super) fn wants(&self, topic: &str) -> bool {
        self.record.topics.iter().any(|filter| topic::matches(filter, topic))
    }

    /// The unacknowledged messages, unordered.
    pub(super) fn sequences(&self) -> impl Iterator<Item = u64> {
        self.entries.keys().copied()
    }

    pub(super) fn has(&self, sequence: u64) -> bool {
        self.entries.contains_key(&sequence)
    }

    /// Adds a message that was delivered `attempts` times, deliverable from `not_before`.
    pub(super) fn add(&mut self, sequence: u64, key: Option<&Arc<str>>, attempts: u32, not_before: u64) {
        if let Some(key) = key.filter(|_| self.record.ordered) {
            self.enter_lane(sequence, key);
        }
        self.entries.insert(sequence, Entry { attempts, state: EntryState::Blocked, due: 0 });
        self.schedule(sequence, not_before);
    }

    fn enter_lane(&mut self, sequence: u64, key: &Arc<str>) {
        self.keys.insert(sequence, key.clone());
        let lane = self.lanes.entry(key.clone()).or_default();
        let first = lane.first().copied();
        lane.insert(sequence);
        // Only a change of topics adds a message older than others.
        let overtaken = first.filter(|first| *first > sequence);
        if let Some(overtaken) = overtaken.filter(|overtaken| self.ready.remove(overtaken)) {
            self.set_state(overtaken, EntryState::Blocked, 0);
        }
    }

    /// Makes the message deliverable, unless an earlier one of its key blocks it.
    fn make_deliverable(&mut self, sequence: u64) {
        let lane = self.keys.get(&sequence).and_then(|key| self.lanes.get(key));
        if lane.and_then(BTreeSet::first).is_some_and(|first| *first < sequence) {
            self.set_state(sequence, EntryState::Blocked, 0);
        } else if self.set_state(sequence, EntryState::Ready, 0) {
            self.ready.insert(sequence);
            self.wake.notify_one();
        }
    }

    /// Returns whether the message exists.
    fn set_state(&mut self, sequence: u64, state: EntryState, due: u64) -> bool {
        let Some(entry) = self.entries.get_mut(&sequence) else { return false };
        (entry.state, entry.due) = (state, due);
        true
    }

    /// Makes the message deliverable at `until`; 0 means now.
    fn schedule(&mut self, sequence: u64, until: u64) {
        if until > 0 { self.delay(sequence, EntryState::Delayed, until) } else { self.make_deliverable(sequence) }
    }

    /// Sets a timer for the message.
    fn delay(&mut self, sequence: u64, state: EntryState, until: u64) {
        if !self.set_state(sequence, state, until) {
            return;
        }
        if self.timers.first().is_none_or(|(next, _)| until < *next) {
            self.wake.notify_one();
        }
        self.timers.insert((until, sequence));
    }

    /// Removes the message from the ready set or the timers.
    fn detach(&mut self, sequence: u64) {
        let Some(entry) = self.entries.get(&sequence) else { return };
        match entry.state {
            EntryState::Ready => drop(self.ready.remove(&sequence)),
            EntryState::InFlight | EntryState::Delayed => drop(self.timers.remove(&(entry.due, sequence))),
            EntryState::Blocked => {}
        }
    }

    /// Takes the next deliverable message, and returns it with its attempt number.
    pub(super) fn take(&mut self, now: u64) -> Option<(u64, u32)> {
        while let Some((_, sequence)) = self.timers.first().filter(|(due, _)| *due <= now).copied() {
            self.timers.pop_first();
            self.make_deliverable(sequence);
        }
        let sequence = self.ready.pop_first()?;
        let entry = self.entries.get_mut(&sequence)?;
        entry.attempts = entry.attempts.saturating_add(1);
        let attempts = entry.attempts;
        let until = now.saturating_add(self.record.ack_wait);
        self.set_state(sequence, EntryState::InFlight, until);
        // No wake-up for this timer: the member that took the message checks again before it waits.
        self.timers.insert((until, sequence));
        Some((sequence, attempts))
    }

    /// The next due time.
    pub(super) fn next_due(&self) -> Option<u64> {
        self.timers.first().map(|(due, _)| *due)
    }

    /// Returns whether `attempt` is the latest delivery of the message and is not settled.
    pub(super) fn current(&self, sequence: u64, attempt: u32) -> bool {
        self.entries.get(&sequence).is_some_and(|entry| {
            // After `ack_wait` expired, the attempt can still be settled until the message is taken again.
            entry.attempts == attempt && entry.state != EntryState::Delayed
        })
    }

    /// Undoes a delivery that reached no member. Returns the remaining number of attempts.
    pub(super) fn give_back(&mut self, sequence: u64) -> u32 {
        self.detach(sequence);
        let Some(entry) = self.entries.get_mut(&sequence) else { return 0 };
        entry.attempts = entry.attempts.saturating_sub(1);
        let attempts = entry.attempts;
        self.make_deliverable(sequence);
        attempts
    }

    /// Redelivers the message at `until`; 0 means now.
    pub(super) fn retry(&mut self, sequence: u64, until: u64) {
        self.detach(sequence);
        self.schedule(sequence, until);
    }

    /// Restarts `ack_wait` from `now`.
    pub(super) fn extend(&mut self, sequence: u64, now: u64) {
        self.detach(sequence);
        self.delay(sequence, EntryState::InFlight, now.saturating_add(self.record.ack_wait));
    }

    /// Removes the message. Returns whether it existed.
    pub(super) fn remove(&mut self, sequence: u64) -> bool {
        self.detach(sequence);
        if self.entries.remove(&sequence).is_none() {
            return false;
        }
        if should_shrink(self.entries.len(), self.entries.capacity()) {
            self.entries.shrink_to(self.entries.len() * 2);
        }
        let Some(key) = self.keys.remove(&sequence) else { return true };
        let Some(lane) = self.lanes.get_mut(&key) else { return true };
        lane.remove(&sequence);
        match lane.first().copied() {
            None => drop(self.lanes.remove(&key)),
            Some(first) if self.entries.get(&first).is_some_and(|entry| entry.state == EntryState::Blocked) => {
                self.make_deliverable(first);
            }
            Some(_) => {}
        }
        true
    }

    /// Switches ordering by key on or off.
    pub(super) fn reorder(&mut self, ordered: bool, key: impl Fn(u64) -> Option<Arc<str>>) {
        self.record.ordered = ordered;
        self.lanes.clear();
        self.keys.clear();
        self.ready.clear();
        let mut free = Vec::new();
        for (sequence, entry) in &self.entries {
            if let Some(key) = key(*sequence).filter(|_| ordered) {
                self.lanes.entry(key.clone()).or_default().insert(*sequence);
                self.keys.insert(*sequence, key);
            }
            if matches!(entry.state, EntryState::Ready | EntryState::Blocked) {
                free.push(*sequence);
            }
        }
        free.into_iter().for_each(|sequence| self.make_deliverable(sequence));
    }

    pub(super) fn info(&self) -> ConsumerInfo {
        let count = |test: fn(u32) -> bool| {
            let found = self.entries.values().filter(|entry| test(entry.attempts)).count();
            u64::try_from(found).unwrap_or(u64::MAX)
        };
        ConsumerInfo {
            name: self.record.name.clone(),
            topics: self.record.topics.clone(),
            owner: self.record.owner.clone(),
            pending: count(|attempts| attempts == 0),
            in_flight: count(|attempts| attempts > 0),
            redelivered: count(|attempts| attempts > 1),
        }
    }
}
