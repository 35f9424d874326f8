//! A proxy between a client and a server that makes of a good connection a bad one.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

/// What happens to what passes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    None,
    /// Everything takes this long in each direction.
    Delay(Duration),
    /// The connection ends in the middle of what passes next.
    Cut,
    /// The server's side is closed. The client's stays open, and what the client says goes nowhere.
    HalfOpen,
}

/// A running proxy. Its connections end with it.
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

    /// From now on, for the connections that there are and for new ones.
    pub(crate) fn set(&self, fault: Fault) {
        let mut state = self.shared.state.lock().unwrap();
        state.fault = fault;
        if fault == Fault::HalfOpen {
            for (_, server) in &state.open {
                let _ = server.shutdown(Shutdown::Both);
            }
        }
    }

    /// How many connections were cut so far.
    pub(crate) fn cuts(&self) -> usize {
        self.shared.state.lock().unwrap().cuts
    }

    /// Ends all connections, as a host does that comes back and knows nothing of them.
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
        // Wakes the thread that accepts.
        let _ = TcpStream::connect(self.address);
    }
}

impl Shared {
    fn connect(shared: &Arc<Self>, client: TcpStream) {
        // A client that is refused sees its connection end.
        let Ok(server) = TcpStream::connect(shared.server) else { return };
        let _ = (client.set_nodelay(true), server.set_nodelay(true));
        let ends = (client.try_clone().unwrap(), server.try_clone().unwrap());
        let (from, to) = (client.try_clone().unwrap(), server.try_clone().unwrap());
        shared.state.lock().unwrap().open.push(ends);
        let (up, down) = (Arc::clone(shared), Arc::clone(shared));
        thread::spawn(move || up.pass(from, to, true));
        thread::spawn(move || down.pass(server, client, false));
    }

    /// Passes on what comes, as long as both ends are there.
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
                // The client is not told that the server is gone.
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
