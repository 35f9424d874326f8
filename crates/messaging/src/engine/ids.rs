//! Deduplication by message id: remembers the ids of recently accepted messages.

use std::collections::{HashSet, VecDeque};

use ring::digest::{SHA256, digest};

use super::log::Change;
use super::state::should_shrink;

/// Memory per id, at most, in bytes.
const ID_BYTES: usize = 96;

/// The first 128 bits of the SHA-256 of an id. Ids are many and of any length; collisions cannot be constructed.
pub(crate) type Fingerprint = [u8; 16];

/// Hashes `id`.
pub(super) fn fingerprint(id: &str) -> Fingerprint {
    let digest = digest(&SHA256, id.as_bytes());
    digest.as_ref().first_chunk().copied().unwrap_or_default()
}

/// The ids of the deduplication window. Above `max_ids` the oldest expire early.
pub(super) struct RecentIds {
    known: HashSet<Fingerprint>,
    /// Expiry times, the earliest first.
    order: VecDeque<(u64, Fingerprint)>,
    /// Maximum number of ids.
    max_ids: usize,
    /// Length of the window, in milliseconds.
    window: u64,
}

impl RecentIds {
    /// Remembers ids for `window` milliseconds, in at most `budget` bytes.
    pub(super) fn new(budget: usize, window: u64) -> Self {
        Self { known: HashSet::new(), order: VecDeque::new(), max_ids: budget / ID_BYTES, window }
    }

    /// Returns whether a message with `id` is a duplicate, after dropping expired ids.
    pub(super) fn is_duplicate(&mut self, id: &Fingerprint, now: u64, journal: &mut Vec<Change>) -> bool {
        while self.order.front().is_some_and(|(until, _)| *until <= now) {
            self.forget(journal);
        }
        self.known.contains(id)
    }

    /// Remembers the new id of an accepted message.
    pub(super) fn remember(&mut self, id: Fingerprint, now: u64, journal: &mut Vec<Change>) {
        let until = now.saturating_add(self.window);
        self.insert(until, id);
        journal.push(Change::Remember { until, id });
        while self.order.len() > self.max_ids {
            self.forget(journal);
        }
    }

    /// Restores a logged id. Call in order of expiry.
    pub(super) fn insert(&mut self, until: u64, id: Fingerprint) {
        self.known.insert(id);
        self.order.push_back((until, id));
    }

    /// Drops the oldest id.
    fn forget(&mut self, journal: &mut Vec<Change>) {
        let Some((until, id)) = self.order.pop_front() else { return };
        self.known.remove(&id);
        journal.push(Change::Forget { until, id });
        if should_shrink(self.order.len(), self.order.capacity()) {
            self.order.shrink_to(self.order.len() * 2);
            self.known.shrink_to(self.order.len() * 2);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Clocked {
        ids: RecentIds,
        journal: Vec<Change>,
    }

    impl Clocked {
        fn new(most: usize) -> Self {
            Self { ids: RecentIds::new(most * ID_BYTES, 100), journal: Vec::new() }
        }

        fn is_duplicate(&mut self, id: &str, now: u64) -> bool {
            self.ids.is_duplicate(&fingerprint(id), now, &mut self.journal)
        }

        fn remember(&mut self, id: &str, now: u64) {
            self.ids.remember(fingerprint(id), now, &mut self.journal);
        }

        /// The journal, with ids shown by their names in `of`.
        fn journal(&self, of: &[&str]) -> Vec<String> {
            let name = |id: &Fingerprint| *of.iter().find(|name| fingerprint(name) == *id).unwrap();
            let entry = |change: &Change| match change {
                Change::Remember { id, until } => format!("+{} {until}", name(id)),
                Change::Forget { id, until } => format!("-{} {until}", name(id)),
                _ => "?".into(),
            };
            self.journal.iter().map(entry).collect()
        }
    }

    #[test]
    fn an_id_is_a_duplicate_until_it_expires() {
        let mut ids = Clocked::new(100);
        ids.remember("a", 5);
        assert!(ids.is_duplicate("a", 104) && !ids.is_duplicate("b", 104) && !ids.is_duplicate("a", 105));
        ids.remember("a", 105);
        ids.remember("b", 150);
        assert!(ids.is_duplicate("a", 204), "remembered again");
        assert!(!ids.is_duplicate("c", 300));
        assert_eq!(ids.journal(&["a", "b"]), ["+a 105", "-a 105", "+a 205", "+b 250", "-a 205", "-b 250"]);
        assert!(ids.ids.known.is_empty() && ids.ids.order.is_empty());
    }

    #[test]
    fn the_oldest_go_when_there_are_too_many() {
        let mut ids = Clocked::new(3);
        for (now, id) in ["1", "2", "3", "4"].into_iter().enumerate() {
            ids.remember(id, now as u64);
        }
        assert!(!ids.is_duplicate("1", 4) && ids.is_duplicate("2", 4) && ids.is_duplicate("4", 4));
        assert_eq!(ids.ids.known.len(), 3);
    }

    #[test]
    fn a_burst_frees_its_memory() {
        let mut ids = Clocked::new(100_000);
        for id in 0..10_000 {
            ids.remember(&id.to_string(), 0);
        }
        assert!(!ids.is_duplicate("1", 100));
        assert!(ids.ids.known.capacity() < 2000 && ids.ids.order.capacity() < 2000);
    }
}
