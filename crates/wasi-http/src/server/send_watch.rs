//! `SendWatch`: ends HTTP/2 streams and connections whose clients read too slowly.

use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Instant;

use futures::future::Abortable;
use hyper::rt::Executor;

use super::backlog::Backlog;
use super::flow::Flow;
use super::send_rate::{MinSendRate, RateMeter, SendProgress};
use super::transport::SocketState;

/// Number of streams after which those that have ended are removed.
const PRUNE_THRESHOLD: usize = 64;

/// Measures how fast one connection's client reads, for the connection and for each HTTP/2 stream.
///
/// hyper polls neither a body nor its service while a window is closed or a socket is full, so the watchdog's timer
/// drives the checks.
#[derive(Debug)]
pub(crate) struct SendWatch {
    backlog: Arc<Backlog>,
    socket: Arc<SocketState>,
    meters: Mutex<RateMeters>,
}

#[derive(Debug, Default)]
struct RateMeters {
    connection: RateMeter,
    streams: Vec<(Weak<Flow>, RateMeter)>,
    /// Number of streams at which those that have ended are removed.
    prune_at: usize,
}

/// Result of a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SendCheck {
    /// The connection continues; this many of its streams were reset.
    Kept(usize),
    /// The connection must be closed.
    TooSlow,
}

impl SendWatch {
    pub(crate) fn new(backlog: Arc<Backlog>, socket: Arc<SocketState>) -> Arc<Self> {
        Arc::new(Self { backlog, socket, meters: Mutex::default() })
    }

    /// Checks the connection against `send_rate`, and resets streams whose clients read too slowly.
    ///
    /// A stream is exempt if the connection is the bottleneck: its socket is full, and it writes less than the minimum
    /// rate for each waiting stream.
    pub(crate) fn check(&self, send_rate: MinSendRate, now: Instant) -> SendCheck {
        let (blocked, written) = (self.socket.is_blocked(), self.socket.written());
        let mut meters = self.meters.lock().unwrap_or_else(PoisonError::into_inner);
        if !blocked {
            meters.connection.reset();
        } else if meters.connection.is_slow(send_rate, SendProgress { at: now, taken: written, written }, 0) {
            return SendCheck::TooSlow;
        }
        let waits = |(flow, _): &&(Weak<Flow>, RateMeter)| flow.upgrade().is_some_and(|flow| flow.waiting() > 0);
        let share = if blocked { meters.streams.iter().filter(waits).count() as u64 } else { 0 };
        let mut reset = 0;
        for (flow, meter) in &mut meters.streams {
            let Some(flow) = flow.upgrade() else { continue };
            if flow.waiting() == 0 {
                meter.reset();
            } else if meter.is_slow(send_rate, SendProgress { at: now, taken: flow.taken(), written }, share) {
                if !flow.reset() {
                    return SendCheck::TooSlow;
                }
                reset += 1;
            }
        }
        SendCheck::Kept(reset)
    }

    fn add(&self, flow: &Arc<Flow>) {
        let mut meters = self.meters.lock().unwrap_or_else(PoisonError::into_inner);
        if meters.streams.len() >= meters.prune_at {
            meters.streams.retain(|(flow, _)| flow.strong_count() > 0);
            meters.prune_at = (2 * meters.streams.len()).max(PRUNE_THRESHOLD);
        }
        meters.streams.push((Arc::downgrade(flow), RateMeter::default()));
    }
}

/// Runs the streams of an HTTP/2 connection as tasks that its [`SendWatch`] can abort.
#[derive(Clone, Debug)]
pub(crate) struct StreamExecutor(pub(crate) Arc<SendWatch>);

impl<F: Future<Output = ()> + Send + 'static> Executor<F> for StreamExecutor {
    fn execute(&self, stream: F) {
        let (flow, registration) = Flow::stream(self.0.backlog.clone());
        self.0.add(&flow);
        tokio::spawn(Abortable::new(flow.serve(stream), registration));
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::server::flow::Piece;

    const RATE: MinSendRate = MinSendRate { bytes_per_second: 1024, window: Duration::from_secs(30) };

    fn waiting(flow: &Arc<Flow>) -> Piece {
        let mut piece = Piece::new(vec![0; 100].into());
        piece.count(flow);
        piece
    }

    #[tokio::test]
    async fn only_the_stream_that_waits_is_reset() {
        let (backlog, start) = (Backlog::new(1 << 20), Instant::now());
        let watch = SendWatch::new(backlog, Arc::default());
        let executor = StreamExecutor(watch.clone());
        let (send, receive) = std::sync::mpsc::channel();
        for _ in 0..2 {
            let send = send.clone();
            executor.execute(async move {
                send.send(Flow::current().unwrap()).unwrap();
                std::future::pending().await
            });
        }
        tokio::task::yield_now().await;
        let [stuck, _quiet] = [receive.recv().unwrap(), receive.recv().unwrap()];
        let piece = waiting(&stuck);
        assert_eq!(watch.check(RATE, start), SendCheck::Kept(0));
        assert_eq!(watch.check(RATE, start + RATE.window), SendCheck::Kept(1));
        drop(piece);
        assert_eq!(watch.check(RATE, start + 3 * RATE.window), SendCheck::Kept(0));
    }

    #[tokio::test]
    async fn a_stream_whose_end_is_given_away_takes_its_connection_with_it() {
        let (backlog, start) = (Backlog::new(1 << 20), Instant::now());
        let watch = SendWatch::new(backlog, Arc::default());
        let (send, receive) = std::sync::mpsc::channel();
        StreamExecutor(watch.clone()).execute(async move {
            send.send(Flow::current().map(|flow| waiting(&flow))).unwrap();
        });
        tokio::task::yield_now().await;
        let _piece = receive.recv().unwrap();
        assert_eq!(watch.check(RATE, start), SendCheck::Kept(0));
        assert_eq!(watch.check(RATE, start + RATE.window), SendCheck::TooSlow);
    }

    #[test]
    fn a_connection_that_writes_nothing_ends() {
        let (socket, start) = (Arc::new(SocketState::default()), Instant::now());
        let watch = SendWatch::new(Backlog::new(1 << 20), socket.clone());
        socket.set_blocked(true);
        assert_eq!(watch.check(RATE, start), SendCheck::Kept(0));
        socket.set_blocked(false);
        assert_eq!(watch.check(RATE, start + RATE.window), SendCheck::Kept(0));
        socket.set_blocked(true);
        assert_eq!(watch.check(RATE, start + RATE.window), SendCheck::Kept(0));
        assert_eq!(watch.check(RATE, start + 2 * RATE.window), SendCheck::TooSlow);
    }
}
