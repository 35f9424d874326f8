//! `ChainDepth`: the number of calls of other components that wait for the call that runs in a store.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The number of calls of other components of an app that wait in a row for the call that runs in a store. Clones share it.
///
/// A component that is alone in its process has none, and it stays 0.
#[derive(Clone, Debug, Default)]
pub struct ChainDepth(Option<Arc<AtomicUsize>>);

impl ChainDepth {
    /// Creates the depth of a new store of an app's component.
    pub fn in_app() -> Self {
        Self(Some(Arc::default()))
    }

    /// Returns the number of waiting calls.
    pub fn get(&self) -> usize {
        self.0.as_ref().map_or(0, |depth| depth.load(Ordering::Relaxed))
    }

    /// Sets the number of calls that wait for the one that begins.
    pub fn set(&self, depth: usize) {
        if let Some(own) = &self.0 {
            own.store(depth, Ordering::Relaxed);
        }
    }
}
