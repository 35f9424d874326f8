//! `ReportOnce`: deduplicates log messages. Components choose the keys, so neither log nor memory may grow with them.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

/// Maximum number of remembered keys. Further keys are not reported.
const CAPACITY: usize = 256;

/// A bounded set of reported keys: 256.
#[derive(Debug, Default)]
pub struct ReportOnce(Mutex<HashSet<String>>);

impl ReportOnce {
    /// Returns whether `key` is new and should be reported.
    pub fn is_first(&self, key: &str) -> bool {
        let mut reported = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        reported.len() < CAPACITY && !reported.contains(key) && reported.insert(key.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_each_thing_once_and_only_so_many() {
        let notices = ReportOnce::default();
        assert!(notices.is_first("a"));
        assert!(!notices.is_first("a"));
        let reported = (0..2 * CAPACITY).filter(|n| notices.is_first(&n.to_string())).count();
        assert_eq!(reported, CAPACITY - 1);
    }
}
