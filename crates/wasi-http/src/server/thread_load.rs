//! The connections of a serving thread, in numbers, by which new ones are assigned.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// The number of a thread's connections.
#[derive(Debug, Default)]
pub(crate) struct ThreadLoad {
    /// Assigned to the thread, which has not accepted them yet.
    waiting: AtomicUsize,
    /// Assigned to the thread, and not closed.
    open: AtomicUsize,
}

impl ThreadLoad {
    /// Counts a connection that is assigned to the thread.
    pub(crate) fn assigned(&self) {
        self.waiting.fetch_add(1, Relaxed);
        self.open.fetch_add(1, Relaxed);
    }

    /// The thread has accepted a connection.
    pub(crate) fn accepted(&self) {
        self.waiting.fetch_sub(1, Relaxed);
    }

    /// An accepted connection is closed.
    pub(crate) fn closed(&self) {
        self.open.fetch_sub(1, Relaxed);
    }

    /// Returns the order in which threads get connections, the lowest first: a thread that does not accept those it has is
    /// stalled or busy.
    pub(crate) fn rank(&self) -> impl Ord + use<> {
        (self.waiting.load(Relaxed), self.open.load(Relaxed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stalled_thread_gets_one_connection() {
        let threads = [ThreadLoad::default(), ThreadLoad::default()];
        let [stalled, running] = &threads;
        // It has more connections, all of which it has accepted.
        (0..5).for_each(|_| running.assigned());
        (0..5).for_each(|_| running.accepted());
        let mut assigned = [0, 0];
        for _ in 0..10 {
            let (index, least) = threads.iter().enumerate().min_by_key(|(_, load)| load.rank()).unwrap();
            least.assigned();
            assigned[index] += 1;
            if !std::ptr::eq(least, stalled) {
                least.accepted();
            }
        }
        assert_eq!(assigned, [1, 9]);
    }

    #[test]
    fn threads_get_the_same_number_of_connections() {
        let threads = [ThreadLoad::default(), ThreadLoad::default(), ThreadLoad::default()];
        for _ in 0..9 {
            threads.iter().min_by_key(|load| load.rank()).unwrap().assigned();
        }
        assert!(threads.iter().all(|load| load.open.load(Relaxed) == 3));
        threads[2].accepted();
        threads[2].closed();
        let least = threads.iter().min_by_key(|load| load.rank()).unwrap();
        assert!(std::ptr::eq(least, &threads[2]));
    }
}
