//! `Placement`: where the calls of a component begin.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// The number of calls that begin in the background after one that computed for a whole tick.
const CALLS: usize = 32;

/// Decides whether a call begins in the task that polls it, or in the background.
///
/// A call that computes for long moves to the background only after a tick, during which it delays the other calls of its
/// thread. Its component is likely to do the same in the next calls.
#[derive(Debug, Default)]
pub(crate) struct Placement {
    /// The number of next calls that begin in the background.
    background: AtomicUsize,
}

impl Placement {
    /// Records a call that computed for a whole tick.
    pub(crate) fn computed_long(&self) {
        self.background.store(CALLS, Relaxed);
    }

    /// Returns whether the next call begins in the background.
    pub(crate) fn begins_in_background(&self) -> bool {
        // The common case writes nothing.
        self.background.load(Relaxed) > 0
            && self.background.fetch_update(Relaxed, Relaxed, |calls| calls.checked_sub(1)).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_after_a_long_one_begin_in_the_background() {
        let placement = Placement::default();
        assert!(!placement.begins_in_background());
        placement.computed_long();
        assert!((0..CALLS).all(|_| placement.begins_in_background()));
        assert!(!placement.begins_in_background());
    }
}
