//! What the values of one store may hold in memory together.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// A number of bytes to be shared.
pub(crate) struct Budget {
    left: AtomicUsize,
}

impl Budget {
    pub(crate) fn new(bytes: usize) -> Arc<Self> {
        Arc::new(Self { left: AtomicUsize::new(bytes) })
    }

    /// How much is left.
    pub(crate) fn left(&self) -> usize {
        self.left.load(Ordering::Relaxed)
    }
}

/// A share of a budget, given back when it is dropped.
pub(crate) struct Share {
    budget: Arc<Budget>,
    bytes: usize,
}

impl Share {
    /// An empty share.
    pub(crate) fn new(budget: Arc<Budget>) -> Self {
        Self { budget, bytes: 0 }
    }

    /// How much could be added now.
    pub(crate) fn room(&self) -> usize {
        self.budget.left()
    }

    /// Adds `bytes` if they are left.
    pub(crate) fn grow(&mut self, bytes: usize) -> bool {
        let taken =
            self.budget.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(bytes)).is_ok();
        if taken {
            self.bytes = self.bytes.saturating_add(bytes);
        }
        taken
    }

    /// Gives `bytes` back, or what there is if that is less.
    pub(crate) fn shrink(&mut self, bytes: usize) {
        let bytes = bytes.min(self.bytes);
        self.bytes = self.bytes.saturating_sub(bytes);
        self.budget.left.fetch_add(bytes, Ordering::Relaxed);
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.shrink(usize::MAX);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_taken_comes_back() {
        let budget = Budget::new(10);
        let mut one = Share::new(budget.clone());
        let mut other = Share::new(budget.clone());
        assert!(one.grow(6) && !other.grow(5) && other.grow(4));
        assert_eq!((one.room(), budget.left()), (0, 0));
        one.shrink(2);
        one.shrink(100);
        assert_eq!(budget.left(), 6);
        drop(other);
        assert_eq!(budget.left(), 10);
    }
}
