//! `Resolved`: the addresses that a store has resolved, and the ports on which it may connect to them.

use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::grant::covers_port;
use super::grants::Ports;

/// Maximum remembered addresses of a store. The oldest one is forgotten: the guest resolves its name again.
const CAPACITY: usize = 256;

/// The resolved addresses, the newest last.
#[derive(Debug, Default)]
pub(super) struct Resolved(Mutex<VecDeque<(IpAddr, Arc<Ports>)>>);

impl Resolved {
    /// Remembers that connections to `address` may go to `ports`.
    pub(super) fn insert(&self, address: IpAddr, ports: &Arc<Ports>) {
        let mut resolved = self.addresses();
        resolved.retain(|(known, of)| *known != address || of != ports);
        if resolved.len() >= CAPACITY {
            resolved.pop_front();
        }
        resolved.push_back((address, ports.clone()));
    }

    /// Returns whether `address` was resolved, and its port is granted.
    pub(super) fn covers(&self, address: SocketAddr) -> bool {
        let ip = address.ip().to_canonical();
        self.addresses()
            .iter()
            .any(|(known, ports)| *known == ip && ports.iter().any(|port| covers_port(*port, address)))
    }

    fn addresses(&self) -> MutexGuard<'_, VecDeque<(IpAddr, Arc<Ports>)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;
    use std::num::NonZeroU16;

    #[test]
    fn addresses_are_remembered_up_to_the_limit() {
        let resolved = Resolved::default();
        let port = |port| Arc::new(vec![NonZeroU16::new(port)]);
        let address = |n: usize| IpAddr::V4(Ipv4Addr::from_bits(u32::try_from(n).unwrap()));
        let covers = |n, port| resolved.covers(SocketAddr::new(address(n), port));
        for n in 0..CAPACITY {
            resolved.insert(address(n), &port(80));
            resolved.insert(address(n), &port(80));
        }
        assert!(covers(0, 80) && covers(CAPACITY - 1, 80) && !covers(0, 81));
        resolved.insert(address(1), &port(443));
        assert!(!covers(0, 80), "the oldest is forgotten");
        assert!(covers(1, 80) && covers(1, 443));
        resolved.insert(address(1), &Arc::new(vec![None]));
        assert!(covers(1, 1));
    }
}
