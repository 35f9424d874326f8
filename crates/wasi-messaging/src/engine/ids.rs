//! The ids of the messages that were accepted lately: another message with one of them is a duplicate.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use super::log::Change;

/// What an id takes besides its text.
const OVERHEAD: usize = 128;

/// The ids of the last two minutes. If they take more than they may, the oldest are forgotten earlier.
pub(super) struct Ids {
    until: HashMap<Arc<str>, u64>,
    /// The next to be forgotten first.
    order: VecDeque<(u64, Arc<str>)>,
    /// What they take, and may take, in bytes.
    size: usize,
    max: usize,
    /// How long an id is known, in milliseconds.
    window: u64,
}

impl Ids {
    pub(super) fn new(max: usize, window: u64) -> Self {
        Self { until: HashMap::new(), order: VecDeque::new(), size: 0, max, window }
    }

    /// Whether a message with `id` is a duplicate.
    pub(super) fn knows(&self, id: &str, now: u64) -> bool {
        self.until.get(id).is_some_and(|until| *until > now)
    }

    /// A message with `id` has been accepted.
    pub(super) fn remember(&mut self, id: &str, now: u64, journal: &mut Vec<Change>) {
        let until = now.saturating_add(self.window);
        self.insert(id, until);
        journal.push(Change::Remember { id: id.to_owned(), until });
        while self.order.front().is_some_and(|(until, _)| *until <= now || self.size > self.max) {
            let Some((until, id)) = self.order.pop_front() else { break };
            self.size = self.size.saturating_sub(size(&id));
            // An id that was used again meanwhile has a later place as well.
            if self.until.get(&id) == Some(&until) {
                self.until.remove(&id);
                journal.push(Change::Forget { id: id.as_ref().to_owned() });
            }
        }
    }

    /// Takes up an id that was written down. The next to be forgotten comes first.
    pub(super) fn insert(&mut self, id: &str, until: u64) {
        let id: Arc<str> = id.into();
        self.size = self.size.saturating_add(size(&id));
        self.order.push_back((until, id.clone()));
        self.until.insert(id, until);
    }
}

fn size(id: &str) -> usize {
    id.len().saturating_add(OVERHEAD)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn changes(journal: &[Change]) -> Vec<String> {
        let name = |change: &Change| match change {
            Change::Remember { id, until } => format!("+{id} {until}"),
            Change::Forget { id } => format!("-{id}"),
            _ => "?".into(),
        };
        journal.iter().map(name).collect()
    }

    #[test]
    fn an_id_is_known_until_its_time_is_over() {
        let (mut ids, mut journal) = (Ids::new(1 << 20, 100), Vec::new());
        ids.remember("a", 5, &mut journal);
        assert!(ids.knows("a", 104) && !ids.knows("a", 105) && !ids.knows("b", 5));
        ids.remember("a", 105, &mut journal);
        ids.remember("b", 150, &mut journal);
        assert!(ids.knows("a", 204), "used again, known again");
        ids.remember("c", 300, &mut journal);
        assert_eq!(changes(&journal), ["+a 105", "+a 205", "+b 250", "+c 400", "-a", "-b"]);
        assert_eq!(ids.until.len(), 1);
        assert_eq!(ids.size, size("c"));
    }

    #[test]
    fn the_oldest_go_when_there_are_too_many() {
        let (mut ids, mut journal) = (Ids::new(3 * size("1"), 1000), Vec::new());
        for (now, id) in ["1", "2", "3", "4"].into_iter().enumerate() {
            ids.remember(id, now as u64, &mut journal);
        }
        assert!(!ids.knows("1", 4) && ids.knows("2", 4) && ids.knows("4", 4));
    }
}
