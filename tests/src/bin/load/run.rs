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
use crate::schedule::Schedule;
use crate::timer::Timer;

/// The request and the duration of a run.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) addr: SocketAddr,
    /// The bytes of the requests, which are spread over the connections.
    pub(crate) sent: Vec<Vec<u8>>,
    /// Requests a second; without it, each connection sends the next one after the response.
    pub(crate) rate: Option<u32>,
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
    /// The number of sent bytes of the request; the maximum while the connection is idle.
    sent: usize,
}

struct Run<'a> {
    plan: &'a Plan,
    registry: Registry,
    outcome: Outcome,
    /// The times of the requests, if there is a rate.
    schedule: Option<Schedule>,
    /// The number of started requests.
    begun: u64,
    /// The read buffer, shared by all connections because each read is parsed at once.
    buffer: Vec<u8>,
}

/// Runs the load.
pub(crate) fn run(plan: &Plan) -> Result<Outcome> {
    let mut poll = Poll::new()?;
    let mut events = Events::with_capacity(1024);
    let timer = Timer::new(poll.registry())?;
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
        schedule: plan.rate.map(|rate| Schedule::new(rate, started)),
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
        run.start_due(&mut connections);
        let wait = run.schedule.as_ref().and_then(Schedule::wait).map(|wait| timer.set(wait)).transpose()?;
        match poll.poll(&mut events, Some(wait.unwrap_or(left).min(left))) {
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
    let idle = run.schedule.map_or(0, |schedule| schedule.idle.len());
    run.outcome.unfinished = (connections.iter().flatten().count() - idle) as u64;
    Ok(run.outcome)
}

impl Run<'_> {
    /// Counts one more request. Returns false at the maximum.
    fn begin(&mut self) -> bool {
        let more = self.plan.requests.is_none_or(|requests| self.begun < requests);
        self.begun += u64::from(more);
        more
    }

    /// Starts the requests that are due, on idle connections.
    fn start_due(&mut self, connections: &mut [Option<Connection>]) {
        while let Some((index, due)) = self.schedule.as_mut().and_then(Schedule::next) {
            let Some(slot) = connections.get_mut(index) else { continue };
            // A connection that was lost while it was idle is listed twice.
            let Some(mut connection) = slot.take_if(|connection| connection.sent == usize::MAX) else { continue };
            if self.begin() {
                (connection.started, connection.sent) = (due, 0);
                *slot = self.advance(index, connection);
            }
        }
    }

    /// Connects for one more request, with retries while connecting fails at once. Returns `None` at the maximum.
    fn begin_connection(&mut self, index: usize, started: Instant) -> Option<Connection> {
        while self.schedule.is_some() || self.begin() {
            match self.connect(index) {
                Ok(stream) => {
                    let connection = Connection { stream, parser: Parser::default(), started, sent: 0 };
                    return Some(self.or_idle(index, connection));
                }
                Err(_) => self.fail("connect"),
            }
            if started.elapsed() > self.plan.time {
                break;
            }
        }
        None
    }

    /// Leaves the next request of a connection to the schedule, if there is one.
    fn or_idle(&mut self, index: usize, mut connection: Connection) -> Connection {
        if let Some(schedule) = &mut self.schedule {
            connection.sent = usize::MAX;
            schedule.idle.push(index);
        }
        connection
    }

    /// Returns the request of a connection.
    fn request(&self, index: usize) -> &[u8] {
        let index = index.checked_rem(self.plan.sent.len()).unwrap_or(0);
        self.plan.sent.get(index).map_or(&[], Vec::as_slice)
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
            match self.send(index, &mut connection) {
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
                    if self.schedule.is_some() {
                        return Some(self.or_idle(index, connection));
                    }
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

    /// Sends the rest of the request. Returns true if the response cannot have begun: the request was completed just now, or
    /// the socket is not connected. A server may respond while it reads a long request.
    fn send(&self, index: usize, connection: &mut Connection) -> std::io::Result<bool> {
        let before = connection.sent;
        let request = self.request(index);
        while let Some(rest) = request.get(connection.sent..).filter(|rest| !rest.is_empty()) {
            match connection.stream.write(rest) {
                Ok(written) => connection.sent += written,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                // An event follows.
                Err(error) if error.kind() == ErrorKind::NotConnected => return Ok(true),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
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
