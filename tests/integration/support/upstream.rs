//! A server for outgoing requests of guests: it sends exactly the bytes of the test.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use super::Client;

/// A server on the loopback address.
pub(crate) struct Upstream {
    pub(crate) address: SocketAddr,
    accepted: Arc<AtomicUsize>,
}

/// A request whose head was read, with its connection.
pub(crate) struct Exchange {
    pub(crate) client: Client<TcpStream>,
    /// The request line and the headers.
    pub(crate) head: String,
}

impl Upstream {
    /// Handles each connection's first request with `handle`, then closes the connection.
    pub(crate) fn start(handle: impl Fn(Exchange) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let accepted = Arc::new(AtomicUsize::new(0));
        let handle = Arc::new(handle);
        let counter = accepted.clone();
        // The thread ends with the process: a listener cannot be woken portably.
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                counter.fetch_add(1, SeqCst);
                let handle = handle.clone();
                std::thread::spawn(move || {
                    let mut client = Client::over(stream);
                    if let Ok(head) = take_head(&mut client) {
                        handle(Exchange { client, head });
                    }
                });
            }
        });
        Self { address, accepted }
    }

    /// Responds to every request with a text.
    pub(crate) fn answering(text: &'static str) -> Self {
        Self::start(move |exchange| exchange.answer("200 OK", &[], text))
    }

    /// Returns the number of accepted connections.
    pub(crate) fn accepted(&self) -> usize {
        self.accepted.load(SeqCst)
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }
}

impl Exchange {
    /// Sends a response. Errors are ignored: the test detects a disconnected client.
    pub(crate) fn answer(mut self, status: &str, headers: &[&str], body: &str) {
        let headers: String = headers.iter().map(|header| format!("{header}\r\n")).collect();
        let length = body.len();
        let head = format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n{headers}\r\n");
        let _ = self.client.try_send(head + body);
    }
}

fn take_head(client: &mut Client<TcpStream>) -> std::io::Result<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.extend(client.take(1)?);
    }
    Ok(String::from_utf8_lossy(&head).into_owned())
}
