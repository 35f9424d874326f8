//! `Resolver`: resolves host names for guests, with a bounded number of threads.

use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::Arc;

use tokio::sync::Semaphore;

/// Resolves names with the system's resolver. Clones share the limit.
///
/// The system's resolver blocks: each lookup takes a thread of tokio's blocking pool, and keeps it while the resolver hangs, even
/// if the caller gives up. Callers limit the time.
#[derive(Clone, Debug)]
pub struct Resolver {
    lookups: Arc<Semaphore>,
}

impl Resolver {
    /// Creates a resolver with at most `max_lookups` lookups at once, and at least one.
    pub fn new(max_lookups: usize) -> Self {
        Self { lookups: Arc::new(Semaphore::new(max_lookups.clamp(1, Semaphore::MAX_PERMITS))) }
    }

    /// Returns the addresses of `name`, at least one, with `port`. Waits while too many lookups run.
    ///
    /// # Errors
    ///
    /// The name has no address, or the resolver fails.
    pub async fn resolve(&self, name: String, port: u16) -> io::Result<Vec<SocketAddr>> {
        let permit = Arc::clone(&self.lookups).acquire_owned().await.map_err(io::Error::other)?;
        let resolved = tokio::task::spawn_blocking(move || {
            // The permit moves to the thread, which may outlive the caller.
            let _permit = permit;
            (name.as_str(), port).to_socket_addrs().map(Iterator::collect::<Vec<_>>)
        });
        let addresses = resolved.await.map_err(io::Error::other)??;
        if addresses.is_empty() { Err(io::ErrorKind::NotFound.into()) } else { Ok(addresses) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn names_are_resolved() {
        let resolver = Resolver::new(0);
        let addresses = resolver.resolve("localhost".to_owned(), 80).await.unwrap();
        assert!(addresses.iter().all(|address| address.ip().is_loopback() && address.port() == 80), "{addresses:?}");
        assert!(resolver.resolve("a name".to_owned(), 80).await.is_err());
    }
}
