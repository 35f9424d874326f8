//! `AppAdmission`: the permits that the components of one process share.

use std::sync::Arc;

use tokio::sync::Semaphore;

use crate::Limits;

/// The longest chain of calls from component to component, without the first call.
pub const MAX_CHAIN_DEPTH: usize = 16;

/// Minimum number of permits of a depth, unless the limit of calls is lower.
const MIN_CHAIN_PERMITS: usize = 32;

/// The permits of the calls of an app.
///
/// A call that another call waits for has a permit of its depth: 1 if a client's call waits for it, 2 if such a call waits for
/// it, and so on. A call waits only for permits of its own depth, whose holders wait only for deeper ones: full permits
/// cannot deadlock.
#[derive(Clone, Debug)]
pub struct AppAdmission {
    /// The permits of each depth; those of depth 0 without the reserved ones.
    pub(crate) levels: Arc<[Arc<Semaphore>]>,
    sizes: Arc<[usize]>,
    pub(crate) streams: Arc<Semaphore>,
    max_streams: usize,
    requests: usize,
}

impl AppAdmission {
    /// Creates the permits that `limits` of the process specify, for chains of `depth` calls after the first. `reserved` of
    /// the permits belong to single components.
    pub fn new(limits: &Limits, depth: usize, reserved: usize) -> Self {
        let mut sizes = vec![limits.requests.saturating_sub(reserved)];
        let mut size = limits.calls();
        for _ in 0..depth.min(MAX_CHAIN_DEPTH) {
            sizes.push(size);
            size = (size / 2).max(MIN_CHAIN_PERMITS.min(limits.calls()));
        }
        let semaphore = |size: usize| Arc::new(Semaphore::new(size.min(Semaphore::MAX_PERMITS)));
        Self {
            levels: sizes.iter().copied().map(semaphore).collect(),
            sizes: sizes.into(),
            streams: semaphore(limits.streams()),
            max_streams: limits.streams(),
            requests: limits.requests,
        }
    }

    /// Returns the maximum number of calls at once: those that run at all depths, and those whose response streams. An engine
    /// that all components share needs space for as many instances, besides idle ones.
    pub fn calls(&self) -> usize {
        let inner = self.sizes.iter().skip(1).fold(0, |sum: usize, size| sum.saturating_add(*size));
        self.requests.saturating_add(self.max_streams).saturating_add(inner)
    }

    /// Returns whether the two are clones of one.
    pub fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.levels, &other.levels)
    }

    /// Returns the permits of calls at `depth`, and their number.
    pub(crate) fn level(&self, depth: usize) -> Option<(&Arc<Semaphore>, usize)> {
        self.levels.get(depth).zip(self.sizes.get(depth).copied())
    }

    /// Returns the number of calls that no other call waits for.
    pub(crate) fn requests(&self) -> usize {
        self.requests
    }

    /// Returns whether more than half of the permits of either kind are taken.
    pub(crate) fn is_busy(&self) -> bool {
        let is_busy = |free: usize, size: usize| free < size.div_ceil(2);
        is_busy(self.streams.available_permits(), self.max_streams)
            || self.level(0).is_some_and(|(permits, size)| is_busy(permits.available_permits(), size))
    }

    /// Returns the number of depths, with that of the first call.
    pub fn depths(&self) -> usize {
        self.levels.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_depth_has_permits_of_its_own() {
        let mut limits = Limits { requests: 256, ..Limits::default() };
        let sizes = |depth| AppAdmission::new(&limits, depth, 0).sizes.to_vec();
        assert_eq!(sizes(0), [256]);
        assert_eq!(sizes(2), [256, 384, 192]);
        assert_eq!(sizes(100).len(), 1 + MAX_CHAIN_DEPTH);
        assert_eq!(sizes(16).last(), Some(&MIN_CHAIN_PERMITS));
        assert_eq!(AppAdmission::new(&limits, 1, 10).sizes.to_vec(), [246, 384]);
        assert_eq!(AppAdmission::new(&limits, 1, 10).calls(), 256 + 128 + 384);
        limits.requests = 1;
        assert_eq!(AppAdmission::new(&limits, 3, 0).sizes.to_vec(), [1, 2, 2, 2]);
    }
}
