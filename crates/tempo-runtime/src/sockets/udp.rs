//! The uses of addresses by one UDP socket. A socket that is bound by `--allow-listen` receives from any peer, and may answer
//! the peers that it has received from.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use wasmtime_wasi::WasiCtxBuilder;
use wasmtime_wasi::sockets::{SocketAddrUse, WasiSocketsCtx};

use super::StoreSockets;

/// Maximum peers that a socket may answer: those of the last datagrams.
const MAX_PEERS: usize = 256;

/// One UDP socket.
struct UdpUse {
    store: Arc<StoreSockets>,
    listens: AtomicBool,
    peers: Mutex<VecDeque<SocketAddr>>,
}

/// Returns the context in which one UDP socket of `store` is created.
pub(super) fn context(store: &Arc<StoreSockets>) -> WasiSocketsCtx {
    let socket = UdpUse { store: store.clone(), listens: AtomicBool::new(false), peers: Mutex::new(VecDeque::new()) };
    let mut wasi = WasiCtxBuilder::new();
    wasi.allow_udp(true).socket_addr_check(move |address, usage| {
        let allowed = socket.allows(address, usage);
        Box::pin(async move { allowed })
    });
    wasi.build().sockets().clone()
}

impl UdpUse {
    fn allows(&self, address: SocketAddr, usage: SocketAddrUse) -> bool {
        match usage {
            SocketAddrUse::UdpBind => {
                let listens = self.store.grants().listens(address);
                self.listens.fetch_or(listens, Ordering::Relaxed);
                listens || self.store.may_bind(address)
            }
            SocketAddrUse::UdpSend => self.peers().contains(&address) || self.store.may_connect(address),
            SocketAddrUse::UdpReceive if self.listens.load(Ordering::Relaxed) => {
                self.remember(address);
                true
            }
            SocketAddrUse::UdpReceive => self.store.is_granted(address).is_ok(),
            _ => false,
        }
    }

    fn remember(&self, peer: SocketAddr) {
        let mut peers = self.peers();
        if peers.back() == Some(&peer) {
            return;
        }
        peers.retain(|known| *known != peer);
        if peers.len() >= MAX_PEERS {
            peers.pop_front();
        }
        peers.push_back(peer);
    }

    fn peers(&self) -> MutexGuard<'_, VecDeque<SocketAddr>> {
        self.peers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sockets::store::tests::store;

    fn socket(connect: &[&str], listen: &[&str]) -> UdpUse {
        UdpUse { store: store(connect, &[], listen), listens: AtomicBool::new(false), peers: Mutex::default() }
    }

    fn to(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    #[test]
    fn a_listening_socket_answers_those_who_sent() {
        let socket = socket(&[], &["127.0.0.1:0"]);
        let peer = to("10.0.0.1:53");
        assert!(!socket.allows(to("0.0.0.0:0"), SocketAddrUse::UdpBind));
        assert!(socket.allows(to("127.0.0.1:0"), SocketAddrUse::UdpBind));
        assert!(!socket.allows(peer, SocketAddrUse::UdpSend));
        assert!(socket.allows(peer, SocketAddrUse::UdpReceive));
        assert!(socket.allows(peer, SocketAddrUse::UdpSend));
        assert!(!socket.allows(to("10.0.0.1:54"), SocketAddrUse::UdpSend));
        for port in 1..=u16::try_from(MAX_PEERS).unwrap() {
            assert!(socket.allows(SocketAddr::new([10, 0, 0, 2].into(), port), SocketAddrUse::UdpReceive));
        }
        assert!(!socket.allows(peer, SocketAddrUse::UdpSend), "the oldest peer is forgotten");
        assert!(socket.allows(to("10.0.0.2:1"), SocketAddrUse::UdpSend));
    }

    #[test]
    fn another_socket_receives_only_from_granted_addresses() {
        let socket = socket(&["10.0.0.1:53"], &["127.0.0.1:0"]);
        assert!(socket.allows(to("0.0.0.0:0"), SocketAddrUse::UdpBind));
        assert!(socket.allows(to("10.0.0.1:53"), SocketAddrUse::UdpSend));
        assert!(socket.allows(to("10.0.0.1:53"), SocketAddrUse::UdpReceive));
        assert!(!socket.allows(to("10.0.0.2:53"), SocketAddrUse::UdpReceive));
    }
}
