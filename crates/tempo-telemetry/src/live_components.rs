//! `LiveComponents`: the components of an app that still run. A reload may remove one, and its series must end with it.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The components of an app with the number of their meters: the versions of a component overlap. Clones share the state.
#[derive(Clone, Debug, Default)]
pub struct LiveComponents(Arc<Mutex<HashMap<Arc<str>, usize>>>);

/// Counts as a meter of its component until it is dropped.
#[derive(Debug)]
pub(crate) struct LiveComponent {
    all: LiveComponents,
    name: Arc<str>,
}

impl LiveComponents {
    /// Returns the names of the components that run no more.
    pub fn ended(&self) -> HashSet<Arc<str>> {
        self.counts().iter().filter(|(_, count)| **count == 0).map(|(name, _)| name.clone()).collect()
    }

    pub(crate) fn add(&self, name: &Arc<str>) -> LiveComponent {
        let mut counts = self.counts();
        let count = counts.entry(name.clone()).or_default();
        *count = count.saturating_add(1);
        LiveComponent { all: self.clone(), name: name.clone() }
    }

    fn counts(&self) -> MutexGuard<'_, HashMap<Arc<str>, usize>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for LiveComponent {
    fn drop(&mut self) {
        if let Some(count) = self.all.counts().get_mut(&self.name) {
            *count = count.saturating_sub(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_component_ends_with_its_last_version() {
        let (all, name): (_, Arc<str>) = (LiveComponents::default(), "a".into());
        assert!(all.ended().is_empty());
        let first = all.add(&name);
        let second = all.clone().add(&name);
        drop(first);
        assert!(all.ended().is_empty());
        drop(second);
        assert_eq!(all.ended(), HashSet::from([name.clone()]));
        let _again = all.add(&name);
        assert!(all.ended().is_empty());
    }
}
