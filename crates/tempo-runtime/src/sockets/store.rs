//! `StoreSockets`: look-ups and uses of addresses by the sockets of one store.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use tempo_core::Acceptor;
use tempo_settings::Host;
use tokio::sync::Semaphore;
use tokio::time::timeout;
use wasmtime_wasi::WasiCtxBuilder;
use wasmtime_wasi::sockets::{SocketAddrUse, WasiSocketsCtx};

use super::grants::{Denied, SocketGrants};
use super::resolved::Resolved;
use super::udp;

/// Maximum time of a look-up, including the wait for a thread.
const LOOKUP_TIMEOUT: Duration = Duration::from_secs(5);

/// Maximum look-ups of one store at once.
const MAX_STORE_LOOKUPS: usize = 16;

/// Maximum addresses in an answer.
const MAX_ADDRESSES: usize = 32;

/// Maximum length of a name, in bytes, before its conversion to ASCII.
const MAX_NAME_BYTES: usize = 1024;

/// The sockets of one store.
#[derive(Debug)]
pub(crate) struct StoreSockets {
    grants: Arc<SocketGrants>,
    resolved: Resolved,
    lookups: Semaphore,
    acceptor: Acceptor,
}

/// Why a look-up has no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LookupError {
    /// The text is no host name.
    InvalidName,
    /// The name is not granted, or none of its addresses.
    Denied,
    /// The name has no address.
    Unresolvable,
    /// Too many look-ups run, or the resolver does not respond.
    Temporary,
}

impl StoreSockets {
    /// Creates the state of a new store. Its accepted connections are counted by `acceptor`.
    pub(crate) fn new(grants: Arc<SocketGrants>, acceptor: Acceptor) -> Arc<Self> {
        let lookups = Semaphore::new(MAX_STORE_LOOKUPS);
        Arc::new(Self { grants, resolved: Resolved::default(), lookups, acceptor })
    }

    /// Returns the grants of the component.
    pub(crate) fn grants(&self) -> &SocketGrants {
        &self.grants
    }

    /// Allows the granted uses of TCP in the context of the store.
    pub(crate) fn allow_tcp(self: &Arc<Self>, wasi: &mut WasiCtxBuilder) {
        if self.grants.is_empty() {
            return;
        }
        let store = self.clone();
        wasi.allow_tcp(true).socket_addr_check(move |address, usage| {
            let allowed = store.allows_tcp(address, usage);
            Box::pin(async move { allowed })
        });
    }

    /// Returns the context for the creation of one UDP socket, or `None` without grants, which is logged.
    pub(crate) fn udp_context(self: &Arc<Self>) -> Option<WasiSocketsCtx> {
        if self.is_ungranted() { None } else { Some(udp::context(self)) }
    }

    /// Returns whether the guest cannot create sockets, and logs that.
    pub(crate) fn is_ungranted(&self) -> bool {
        let ungranted = self.grants.is_empty();
        if ungranted {
            self.grants.report_socket();
        }
        ungranted
    }

    fn allows_tcp(&self, address: SocketAddr, usage: SocketAddrUse) -> bool {
        match usage {
            SocketAddrUse::TcpBind => self.grants.listens(address) || self.may_bind(address),
            SocketAddrUse::TcpListen => {
                let listens = self.grants.listens(address);
                if !listens {
                    self.grants.report_listen(address);
                }
                listens
            }
            SocketAddrUse::TcpAccept => self.acceptor.accept(),
            SocketAddrUse::TcpConnect => self.may_connect(address),
            _ => false,
        }
    }

    /// Returns whether a socket may bind to `address` without listening. A denial is logged.
    pub(super) fn may_bind(&self, address: SocketAddr) -> bool {
        let allowed = self.grants.binds_implicitly(address);
        if !allowed {
            self.grants.report_listen(address);
        }
        allowed
    }

    /// Returns whether a connection or a datagram may go to `address`. A denial is logged.
    pub(super) fn may_connect(&self, address: SocketAddr) -> bool {
        self.is_granted(address).map_err(|denied| self.grants.report_connect(address, denied)).is_ok()
    }

    /// Checks that `address` was resolved, or is granted itself.
    pub(super) fn is_granted(&self, address: SocketAddr) -> Result<(), Denied> {
        if self.resolved.covers(address) { Ok(()) } else { self.grants.permit(address) }
    }

    /// Resolves `name`, and remembers the permitted addresses for connections.
    ///
    /// # Errors
    ///
    /// The name or all of its addresses are denied, which is logged, or the resolver fails.
    pub(crate) async fn lookup(self: Arc<Self>, name: String) -> Result<Vec<IpAddr>, LookupError> {
        let host = if name.len() > MAX_NAME_BYTES { None } else { Host::parse(&name) };
        match host.ok_or(LookupError::InvalidName)? {
            // No name: the connection is judged by itself.
            Host::Ip(address) => Ok(vec![address]),
            Host::Name(name) => self.resolve(name).await,
        }
    }

    async fn resolve(&self, name: String) -> Result<Vec<IpAddr>, LookupError> {
        let host = Host::Name(name.clone());
        let ports = self.grants.ports(&host);
        if ports.is_empty() {
            self.grants.report_lookup(&host);
            return Err(LookupError::Denied);
        }
        let Ok(_permit) = self.lookups.try_acquire() else { return Err(LookupError::Temporary) };
        let answer = match timeout(LOOKUP_TIMEOUT, self.grants.resolver.resolve(name, 0)).await {
            Ok(Ok(addresses)) => addresses,
            Ok(Err(error)) => {
                tracing::debug!(%error, "a name could not be resolved");
                return Err(LookupError::Unresolvable);
            }
            Err(_) => return Err(LookupError::Temporary),
        };
        let addresses = answer.into_iter().map(|address| address.ip().to_canonical());
        let mut kept: Vec<IpAddr> = Vec::new();
        let mut denied = None;
        let ports = Arc::new(ports);
        for address in addresses {
            match self.grants.permit_resolved(address) {
                _ if kept.contains(&address) || kept.len() >= MAX_ADDRESSES => {}
                Ok(()) => {
                    self.resolved.insert(address, &ports);
                    kept.push(address);
                }
                // Granted by itself, on the port of that grant.
                Err(_) if self.grants.names(address) => kept.push(address),
                Err(reason) => denied = denied.or(Some((address, reason))),
            }
        }
        if kept.is_empty() {
            if let Some((address, Denied::Kind(kind))) = denied {
                self.grants.report_resolved(&host, address, kind);
            }
            return Err(LookupError::Denied);
        }
        Ok(kept)
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::sockets::grants::tests::grants;
    use tempo_core::{Limits, OpenFiles, Sockets};

    pub(in crate::sockets) fn store(connect: &[&str], ranges: &[&str], listen: &[&str]) -> Arc<StoreSockets> {
        let acceptor = Sockets::default().acceptor(&OpenFiles::new(&Limits::default()));
        StoreSockets::new(Arc::new(grants(connect, ranges, listen)), acceptor)
    }

    fn to(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    #[tokio::test]
    async fn a_connection_goes_where_a_granted_name_resolved_to() {
        let store = store(&["localhost:80", "*.internal:81"], &["127.0.0.0/8", "::1"], &[]);
        assert_eq!(store.is_granted(to("127.0.0.1:80")), Err(Denied::Ungranted), "before the look-up");
        let addresses = store.clone().lookup("LOCALHOST.".to_owned()).await.unwrap();
        assert!(addresses.contains(&to("127.0.0.1:80").ip()), "{addresses:?}");
        assert_eq!(store.is_granted(to("127.0.0.1:80")), Ok(()));
        assert_eq!(store.is_granted(to("[::ffff:127.0.0.1]:80")), Ok(()));
        for other in ["127.0.0.1:81", "127.0.0.2:80"] {
            assert_eq!(store.is_granted(to(other)), Err(Denied::Ungranted), "{other}");
        }
    }

    #[tokio::test]
    async fn an_address_that_is_not_public_needs_a_grant_of_its_own() {
        let denied = store(&["localhost"], &[], &[]);
        assert_eq!(denied.clone().lookup("localhost".to_owned()).await, Err(LookupError::Denied));
        assert!(denied.is_granted(to("127.0.0.1:80")).is_err());
        // The name grants port 80, the address port 81.
        let literal = store(&["localhost:80", "127.0.0.1:81"], &[], &[]);
        let addresses = literal.clone().lookup("localhost".to_owned()).await.unwrap();
        assert_eq!(addresses, [to("127.0.0.1:81").ip()]);
        assert!(literal.is_granted(to("127.0.0.1:80")).is_err() && literal.is_granted(to("127.0.0.1:81")).is_ok());
    }

    #[tokio::test]
    async fn only_granted_names_are_resolved() {
        let store = store(&["*.internal:1", "10.0.0.1"], &["127.0.0.0/8"], &[]);
        for (name, expected) in [
            ("localhost", Err(LookupError::Denied)),
            ("internal", Err(LookupError::Denied)),
            ("a b", Err(LookupError::InvalidName)),
            ("", Err(LookupError::InvalidName)),
            ("127.1", Ok(vec![to("127.0.0.1:1").ip()])),
            ("::1", Ok(vec![to("[::1]:1").ip()])),
        ] {
            assert_eq!(store.clone().lookup(name.to_owned()).await, expected, "{name}");
        }
        let long = "a".repeat(MAX_NAME_BYTES + 1);
        assert_eq!(store.clone().lookup(long).await, Err(LookupError::InvalidName));
        let running = store.lookups.acquire_many(u32::try_from(MAX_STORE_LOOKUPS).unwrap()).await.unwrap();
        assert_eq!(store.clone().lookup("a.internal".to_owned()).await, Err(LookupError::Temporary));
        drop(running);
    }
}
