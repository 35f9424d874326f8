//! A proxy that injects faults into the connections between a client and a server.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

/// A fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    None,
    /// Delays all data by this time in each direction.
    Delay(Duration),
    /// Closes the connection in the middle of the next data.
    Cut,
    /// Closes the server's side only, and discards the client's data.
    HalfOpen,
}

/// A running proxy. Dropping it closes its connections.
pub(crate) struct Proxy {
    pub(crate) address: SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    server: SocketAddr,
    state: Mutex<State>,
}

struct State {
    fault: Fault,
    /// Both ends of each connection.
    open: Vec<(TcpStream, TcpStream)>,
    cuts: usize,
    stopped: bool,
}

impl Proxy {
    pub(crate) fn to(server: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let state = State { fault: Fault::None, open: Vec::new(), cuts: 0, stopped: false };
        let shared = Arc::new(Shared { server, state: Mutex::new(state) });
        let accepting = Arc::clone(&shared);
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                if accepting.state.lock().unwrap().stopped {
                    return;
                }
                Shared::connect(&accepting, client);
            }
        });
        Self { address, shared }
    }

    /// Sets the fault of existing and new connections.
    pub(crate) fn set(&self, fault: Fault) {
        let mut state = self.shared.state.lock().unwrap();
        state.fault = fault;
        if fault == Fault::HalfOpen {
            for (_, server) in &state.open {
                let _ = server.shutdown(Shutdown::Both);
            }
        }
    }

    /// Returns the number of cut connections.
    pub(crate) fn cuts(&self) -> usize {
        self.shared.state.lock().unwrap().cuts
    }

    /// Resets all connections, as a restarted host does.
    pub(crate) fn reset(&self) {
        for (client, server) in self.shared.state.lock().unwrap().open.drain(..) {
            let _ = (client.shutdown(Shutdown::Both), server.shutdown(Shutdown::Both));
        }
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.shared.state.lock().unwrap().stopped = true;
        self.reset();
        // Wakes the accepting thread.
        let _ = TcpStream::connect(self.address);
    }
}

impl Shared {
    fn connect(shared: &Arc<Self>, client: TcpStream) {
        // The client of a refused connection sees it close.
        let Ok(server) = TcpStream::connect(shared.server) else { return };
        let _ = (client.set_nodelay(true), server.set_nodelay(true));
        let ends = (client.try_clone().unwrap(), server.try_clone().unwrap());
        let (from, to) = (client.try_clone().unwrap(), server.try_clone().unwrap());
        shared.state.lock().unwrap().open.push(ends);
        let (up, down) = (Arc::clone(shared), Arc::clone(shared));
        thread::spawn(move || up.pass(from, to, true));
        thread::spawn(move || down.pass(server, client, false));
    }

    /// Forwards data while both ends are open.
    fn pass(&self, mut from: TcpStream, mut to: TcpStream, is_request: bool) {
        let mut buffer = vec![0; 16 * 1024];
        let mut half_open = false;
        while let Ok(count @ 1..) = from.read(&mut buffer) {
            let mut bytes = &buffer[..count];
            let fault = self.state.lock().unwrap().fault;
            match fault {
                Fault::None => {}
                Fault::Delay(delay) => thread::sleep(delay),
                Fault::Cut => bytes = &bytes[..count / 2],
                Fault::HalfOpen => half_open = true,
            }
            if half_open {
                continue;
            }
            if to.write_all(bytes).is_err() {
                // The client's side stays open.
                half_open = is_request && self.state.lock().unwrap().fault == Fault::HalfOpen;
                if half_open {
                    continue;
                }
                break;
            }
            if fault == Fault::Cut {
                self.state.lock().unwrap().cuts += 1;
                break;
            }
        }
        let silent = half_open || self.state.lock().unwrap().fault == Fault::HalfOpen;
        if is_request || !silent {
            let _ = (from.shutdown(Shutdown::Both), to.shutdown(Shutdown::Both));
        }
    }
}
