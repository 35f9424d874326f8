//! Ends what is sent to a client that does not take it: an HTTP/2 stream, or a connection.

use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Instant;

use futures::future::Abortable;
use hyper::rt::Executor;

use super::backlog::Backlog;
use super::flow::Flow;
use super::pace::{Measure, Pace, Progress};
use super::transport::Wire;

/// Streams that are known before those that have ended are forgotten.
const KNOWN: usize = 64;

/// Watches what one connection's client takes, of the connection as a whole and of each HTTP/2 stream.
///
/// hyper polls neither a body nor its service while a window is closed or a socket is full, so this is asked by the
/// connection's timer.
#[derive(Debug)]
pub(crate) struct SendWatch {
    backlog: Arc<Backlog>,
    wire: Arc<Wire>,
    measures: Mutex<Measures>,
}

#[derive(Debug, Default)]
struct Measures {
    connection: Measure,
    streams: Vec<(Weak<Flow>, Measure)>,
    /// How many streams may be known before those that have ended are forgotten.
    most: usize,
}

/// What comes of a look at a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pacing {
    /// The connection goes on; so many of its streams were reset.
    Kept(usize),
    /// The connection has to end.
    TooSlow,
}

impl SendWatch {
    pub(crate) fn new(backlog: Arc<Backlog>, wire: Arc<Wire>) -> Arc<Self> {
        Arc::new(Self { backlog, wire, measures: Mutex::default() })
    }

    /// Judges the connection by `pace`, and resets the streams of which the client takes too little.
    ///
    /// A stream is not judged where the connection itself is the bottleneck: where its socket is full, and what it writes
    /// is less than the rate for each stream that waits.
    pub(crate) fn judge(&self, pace: Pace, now: Instant) -> Pacing {
        let (blocked, written) = (self.wire.is_blocked(), self.wire.written());
        let mut measures = self.measures.lock().unwrap_or_else(PoisonError::into_inner);
        if !blocked {
            measures.connection.rest();
        } else if measures.connection.is_slow(pace, Progress { at: now, taken: written, written }, 0) {
            return Pacing::TooSlow;
        }
        let waits = |(flow, _): &&(Weak<Flow>, Measure)| flow.upgrade().is_some_and(|flow| flow.waiting() > 0);
        let share = if blocked { measures.streams.iter().filter(waits).count() as u64 } else { 0 };
        let mut reset = 0;
        for (flow, measure) in &mut measures.streams {
            let Some(flow) = flow.upgrade() else { continue };
            if flow.waiting() == 0 {
                measure.rest();
            } else if measure.is_slow(pace, Progress { at: now, taken: flow.taken(), written }, share) {
                if !flow.reset() {
                    return Pacing::TooSlow;
                }
                reset += 1;
            }
        }
        Pacing::Kept(reset)
    }

    fn add(&self, flow: &Arc<Flow>) {
        let mut measures = self.measures.lock().unwrap_or_else(PoisonError::into_inner);
        if measures.streams.len() >= measures.most {
            measures.streams.retain(|(flow, _)| flow.strong_count() > 0);
            measures.most = (2 * measures.streams.len()).max(KNOWN);
        }
        measures.streams.push((Arc::downgrade(flow), Measure::default()));
    }
}

/// Runs the streams of an HTTP/2 connection as tasks that its [`SendWatch`] can end.
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

    const PACE: Pace = Pace { rate: 1024, time: Duration::from_secs(30) };

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
        assert_eq!(watch.judge(PACE, start), Pacing::Kept(0));
        assert_eq!(watch.judge(PACE, start + PACE.time), Pacing::Kept(1));
        drop(piece);
        assert_eq!(watch.judge(PACE, start + 3 * PACE.time), Pacing::Kept(0));
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
        assert_eq!(watch.judge(PACE, start), Pacing::Kept(0));
        assert_eq!(watch.judge(PACE, start + PACE.time), Pacing::TooSlow);
    }

    #[test]
    fn a_connection_that_writes_nothing_ends() {
        let (wire, start) = (Arc::new(Wire::default()), Instant::now());
        let watch = SendWatch::new(Backlog::new(1 << 20), wire.clone());
        wire.set_blocked(true);
        assert_eq!(watch.judge(PACE, start), Pacing::Kept(0));
        wire.set_blocked(false);
        assert_eq!(watch.judge(PACE, start + PACE.time), Pacing::Kept(0));
        wire.set_blocked(true);
        assert_eq!(watch.judge(PACE, start + PACE.time), Pacing::Kept(0));
        assert_eq!(watch.judge(PACE, start + 2 * PACE.time), Pacing::TooSlow);
    }
}
