//! Says a thing once. Components choose host names, so neither the log nor the memory of it may grow with their number.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

/// How many different things are remembered. Later ones are not said at all.
const CAPACITY: usize = 256;

/// A bounded set of what was already said.
#[derive(Debug, Default)]
pub(crate) struct Notices(Mutex<HashSet<String>>);

impl Notices {
    /// Whether `key` is new and should be reported now.
    pub(crate) fn first(&self, key: &str) -> bool {
        let mut said = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        said.len() < CAPACITY && !said.contains(key) && said.insert(key.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_each_thing_once_and_only_so_many() {
        let notices = Notices::default();
        assert!(notices.first("a"));
        assert!(!notices.first("a"));
        let said = (0..2 * CAPACITY).filter(|n| notices.first(&n.to_string())).count();
        assert_eq!(said, CAPACITY - 1);
    }
}
