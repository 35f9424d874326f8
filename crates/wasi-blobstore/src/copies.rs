//! Bounds the concurrent copies of a component: each is expensive for a disk or a server.

use std::sync::Arc;

use tokio::sync::Semaphore;

use crate::{Container, Error, ErrorKind, ObjectInfo, Result};

/// Maximum concurrent copies per component; more wait.
const MAX_CONCURRENT_COPIES: usize = 4;

/// The copies of one component. Cheap to clone; all clones are the same.
#[derive(Clone)]
pub(crate) struct Copies {
    free: Arc<Semaphore>,
}

impl Default for Copies {
    fn default() -> Self {
        Self { free: Arc::new(Semaphore::new(MAX_CONCURRENT_COPIES)) }
    }
}

impl Copies {
    /// Copies an object of `container` when it is its turn.
    pub(crate) async fn copy(&self, container: &dyn Container, from: &str, to: &str) -> Result<ObjectInfo> {
        self.run(container.copy(from, to)).await
    }

    /// Runs `copy` when it is its turn.
    pub(crate) async fn run<T>(&self, copy: impl Future<Output = Result<T>>) -> Result<T> {
        let stopped = |_| Error::new(ErrorKind::Unavailable, "the host is shutting down");
        let _turn = self.free.acquire().await.map_err(stopped)?;
        copy.await
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

    use futures::StreamExt as _;
    use futures::stream::FuturesUnordered;

    use super::*;

    #[tokio::test]
    async fn no_more_than_some_run_at_once_and_one_that_is_dropped_makes_room() {
        let (copies, running) = (Copies::default(), AtomicUsize::new(0));
        let hang = || {
            copies.run(async {
                running.fetch_add(1, Relaxed);
                std::future::pending::<Result<()>>().await
            })
        };
        let mut all: Vec<_> = (0..MAX_CONCURRENT_COPIES + 3).map(|_| Box::pin(hang())).collect();
        for copy in &mut all {
            assert!(futures::poll!(copy).is_pending());
        }
        assert_eq!(running.load(Relaxed), MAX_CONCURRENT_COPIES);
        drop(all.remove(0));
        for copy in &mut all {
            assert!(futures::poll!(copy).is_pending());
        }
        assert_eq!(running.load(Relaxed), MAX_CONCURRENT_COPIES + 1);
        drop(all);
        let mut done: FuturesUnordered<_> = (0..20).map(|_| copies.run(async { Ok(()) })).collect();
        while let Some(copied) = done.next().await {
            copied.unwrap();
        }
    }
}
