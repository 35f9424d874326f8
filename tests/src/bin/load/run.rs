//! The event loop: one thread, one poll, and one request at a time per connection.

use std::collections::BTreeMap;
use std::io::{ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::Result;
use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Registry, Token};

use crate::histogram::Histogram;
use crate::response::{Parser, Response};

/// The request and the duration of a run.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) addr: SocketAddr,
    /// The bytes of one request.
    pub(crate) request: Vec<u8>,
    pub(crate) connections: usize,
    /// The number of requests; without it, the duration ends the run.
    pub(crate) requests: Option<u64>,
    /// The maximum duration.
    pub(crate) time: Duration,
    /// True for a new connection per request.
    pub(crate) reconnect: bool,
}

/// The results of a run.
#[derive(Debug)]
pub(crate) struct Outcome {
    /// The number of responses by status.
    pub(crate) statuses: BTreeMap<u16, u64>,
    /// The number of requests without a response, by reason.
    pub(crate) errors: BTreeMap<&'static str, u64>,
    /// The number of requests in flight at the end of the run.
    pub(crate) unfinished: u64,
    /// The length of all bodies in bytes.
    pub(crate) body: u64,
    pub(crate) latency: Histogram,
    pub(crate) elapsed: Duration,
}

impl Outcome {
    /// Returns the number of all responses.
    pub(crate) fn responses(&self) -> u64 {
        self.statuses.values().sum()
    }
}

struct Connection {
    stream: TcpStream,
    parser: Parser,
    /// The start of the request; with a new connection, that of the connection.
    started: Instant,
    /// The number of sent bytes of the request.
    sent: usize,
}

struct Run<'a> {
    plan: &'a Plan,
    registry: Registry,
    outcome: Outcome,
    /// The number of started requests.
    begun: u64,
    /// The read buffer, shared by all connections because each read is parsed at once.
    buffer: Vec<u8>,
}

/// Runs the load.
pub(crate) fn run(plan: &Plan) -> Result<Outcome> {
    let mut poll = Poll::new()?;
    let mut events = Events::with_capacity(1024);
    let started = Instant::now();
    let mut run = Run {
        plan,
        registry: poll.registry().try_clone()?,
        outcome: Outcome {
            statuses: BTreeMap::new(),
            errors: BTreeMap::new(),
            unfinished: 0,
            body: 0,
            latency: Histogram::new()?,
            elapsed: Duration::ZERO,
        },
        begun: 0,
        buffer: vec![0; 64 * 1024],
    };
    let mut connections: Vec<Option<Connection>> = Vec::with_capacity(plan.connections);
    for index in 0..plan.connections {
        connections.push(run.begin_connection(index, started));
    }
    while let Some(left) = plan.time.checked_sub(started.elapsed()) {
        if connections.iter().all(Option::is_none) {
            break;
        }
        match poll.poll(&mut events, Some(left)) {
            Err(error) if error.kind() != ErrorKind::Interrupted => return Err(error.into()),
            _ => {}
        }
        for event in &events {
            let index = event.token().0;
            if let Some(slot) = connections.get_mut(index)
                && let Some(connection) = slot.take()
            {
                *slot = run.advance(index, connection);
            }
        }
    }
    run.outcome.elapsed = started.elapsed();
    run.outcome.unfinished = connections.iter().flatten().count() as u64;
    Ok(run.outcome)
}

impl Run<'_> {
    /// Counts one more request. Returns false at the maximum.
    fn begin(&mut self) -> bool {
        let more = self.plan.requests.is_none_or(|requests| self.begun < requests);
        self.begun += u64::from(more);
        more
    }

    /// Connects for one more request, with retries while connecting fails at once. Returns `None` at the maximum.
    fn begin_connection(&mut self, index: usize, started: Instant) -> Option<Connection> {
        while self.begin() {
            match self.connect(index) {
                Ok(stream) => return Some(Connection { stream, parser: Parser::default(), started, sent: 0 }),
                Err(_) => self.fail("connect"),
            }
            if started.elapsed() > self.plan.time {
                break;
            }
        }
        None
    }

    fn connect(&self, index: usize) -> std::io::Result<TcpStream> {
        let mut stream = TcpStream::connect(self.plan.addr)?;
        stream.set_nodelay(true)?;
        self.registry.register(&mut stream, Token(index), Interest::READABLE | Interest::WRITABLE)?;
        Ok(stream)
    }

    fn fail(&mut self, reason: &'static str) {
        *self.outcome.errors.entry(reason).or_default() += 1;
    }

    /// Handles a connection's event. Events are edge-triggered, so it returns only if a later event is certain: when
    /// the socket would block, and after it has sent a request, whose response is an event.
    fn advance(&mut self, index: usize, mut connection: Connection) -> Option<Connection> {
        loop {
            match self.send(&mut connection) {
                Ok(true) => return Some(connection),
                Ok(false) => {}
                Err(error) => return self.lost(index, &error),
            }
            let response = match connection.stream.read(&mut self.buffer) {
                Ok(0) => connection.parser.end().ok_or("closed"),
                Ok(length) => match connection.parser.feed(self.buffer.get(..length).unwrap_or_default()) {
                    Ok(None) => continue,
                    Ok(Some(response)) => Ok(response),
                    Err(_) => Err("not HTTP"),
                },
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Some(connection),
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => return self.lost(index, &error),
            };
            let now = Instant::now();
            match response {
                Ok(response) if self.record(response, now - connection.started) => {
                    if !self.begin() {
                        return None;
                    }
                    connection.started = now;
                    connection.sent = 0;
                }
                Ok(_) => return self.begin_connection(index, now),
                Err(reason) => {
                    self.fail(reason);
                    return self.begin_connection(index, now);
                }
            }
        }
    }

    /// Sends the rest of the request. Returns true if bytes are pending or were sent.
    fn send(&self, connection: &mut Connection) -> std::io::Result<bool> {
        let before = connection.sent;
        while let Some(rest) = self.plan.request.get(connection.sent..).filter(|rest| !rest.is_empty()) {
            match connection.stream.write(rest) {
                Ok(written) => connection.sent += written,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                // Not connected, or a full buffer: an event follows.
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::NotConnected) => {
                    return Ok(true);
                }
                Err(error) => return Err(error),
            }
        }
        Ok(connection.sent > before)
    }

    /// Counts a response. Returns true if the connection is reusable.
    fn record(&mut self, response: Response, latency: Duration) -> bool {
        *self.outcome.statuses.entry(response.status).or_default() += 1;
        self.outcome.body += response.body;
        self.outcome.latency.record(latency);
        !response.close && !self.plan.reconnect
    }

    /// Counts a failed connection.
    fn lost(&mut self, index: usize, error: &std::io::Error) -> Option<Connection> {
        self.fail(match error.kind() {
            ErrorKind::ConnectionRefused | ErrorKind::AddrNotAvailable => "connect",
            _ => "reset",
        });
        self.begin_connection(index, Instant::now())
    }
}
