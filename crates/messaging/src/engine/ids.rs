//! The ids of the messages that were accepted lately: another message with one of them is a duplicate.

use std::collections::{HashSet, VecDeque};

use sha2::{Digest as _, Sha256};

use super::log::Change;
use super::state::has_room_to_give_back;

/// What an id takes, at most, in bytes.
const SIZE: usize = 96;

/// What is kept of an id: half of its SHA-256. There may be many ids, of any length, and nobody finds two for one half.
pub(crate) type Fingerprint = [u8; 16];

/// What is kept of `id`.
pub(super) fn fingerprint(id: &str) -> Fingerprint {
    let digest: [u8; 32] = Sha256::digest(id).into();
    std::array::from_fn(|at| digest.get(at).copied().unwrap_or_default())
}

/// The ids of the last two minutes. If they take more than they may, the oldest are forgotten earlier.
pub(super) struct Ids {
    known: HashSet<Fingerprint>,
    /// When they are forgotten, the next first.
    order: VecDeque<(u64, Fingerprint)>,
    /// How many there may be.
    most: usize,
    /// How long an id is known, in milliseconds.
    window: u64,
}

impl Ids {
    /// Knows ids for `window` milliseconds, if they do not take more than `room` bytes.
    pub(super) fn new(room: usize, window: u64) -> Self {
        Self { known: HashSet::new(), order: VecDeque::new(), most: room / SIZE, window }
    }

    /// Whether a message with `id` is a duplicate. Those whose time is over are forgotten first.
    pub(super) fn knows(&mut self, id: &Fingerprint, now: u64, journal: &mut Vec<Change>) -> bool {
        while self.order.front().is_some_and(|(until, _)| *until <= now) {
            self.forget(journal);
        }
        self.known.contains(id)
    }

    /// A message with `id` has been accepted, which was not known.
    pub(super) fn remember(&mut self, id: Fingerprint, now: u64, journal: &mut Vec<Change>) {
        let until = now.saturating_add(self.window);
        self.insert(until, id);
        journal.push(Change::Remember { until, id });
        while self.order.len() > self.most {
            self.forget(journal);
        }
    }

    /// Takes up an id that was written down. The next to be forgotten comes first.
    pub(super) fn insert(&mut self, until: u64, id: Fingerprint) {
        self.known.insert(id);
        self.order.push_back((until, id));
    }

    /// Forgets the oldest.
    fn forget(&mut self, journal: &mut Vec<Change>) {
        let Some((until, id)) = self.order.pop_front() else { return };
        self.known.remove(&id);
        journal.push(Change::Forget { until, id });
        if has_room_to_give_back(self.order.len(), self.order.capacity()) {
            self.order.shrink_to(self.order.len() * 2);
            self.known.shrink_to(self.order.len() * 2);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Clocked {
        ids: Ids,
        journal: Vec<Change>,
    }

    impl Clocked {
        fn new(most: usize) -> Self {
            Self { ids: Ids::new(most * SIZE, 100), journal: Vec::new() }
        }

        fn knows(&mut self, id: &str, now: u64) -> bool {
            self.ids.knows(&fingerprint(id), now, &mut self.journal)
        }

        fn remember(&mut self, id: &str, now: u64) {
            self.ids.remember(fingerprint(id), now, &mut self.journal);
        }

        /// What was written down: the ids that `of` gives are told by name.
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
    fn an_id_is_known_until_its_time_is_over() {
        let mut ids = Clocked::new(100);
        ids.remember("a", 5);
        assert!(ids.knows("a", 104) && !ids.knows("b", 104) && !ids.knows("a", 105));
        ids.remember("a", 105);
        ids.remember("b", 150);
        assert!(ids.knows("a", 204), "used again, known again");
        assert!(!ids.knows("c", 300));
        assert_eq!(ids.journal(&["a", "b"]), ["+a 105", "-a 105", "+a 205", "+b 250", "-a 205", "-b 250"]);
        assert!(ids.ids.known.is_empty() && ids.ids.order.is_empty());
    }

    #[test]
    fn the_oldest_go_when_there_are_too_many() {
        let mut ids = Clocked::new(3);
        for (now, id) in ["1", "2", "3", "4"].into_iter().enumerate() {
            ids.remember(id, now as u64);
        }
        assert!(!ids.knows("1", 4) && ids.knows("2", 4) && ids.knows("4", 4));
        assert_eq!(ids.ids.known.len(), 3);
    }

    #[test]
    fn a_burst_leaves_no_room_behind() {
        let mut ids = Clocked::new(100_000);
        for id in 0..10_000 {
            ids.remember(&id.to_string(), 0);
        }
        assert!(!ids.knows("1", 100));
        assert!(ids.ids.known.capacity() < 2000 && ids.ids.order.capacity() < 2000);
    }
}
