//! `Flow`: counts the response data of one stream that waits for its client, and the data that the client has read.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::task::{Context, Waker};

use bytes::{Buf, Bytes};
use futures::future::{AbortHandle, AbortRegistration};
use futures::task::AtomicWaker;

use super::backlog::Backlog;

/// The last piece of an HTTP/2 body is split if it is longer, in bytes. h2 takes a whole piece as soon as the client's
/// window has room for one byte of it, and a stream whose end h2 has cannot be reset: the last byte is withheld until
/// the window has room for all others.
const SPLIT: usize = 1024;

tokio::task_local! {
    /// The flow of the HTTP/2 stream that this task serves.
    static STREAM: Arc<Flow>;
}

/// Counts the response data of an HTTP/1.1 connection or an HTTP/2 stream.
#[derive(Debug)]
pub(crate) struct Flow {
    backlog: Arc<Backlog>,
    /// Bytes that hyper holds and has not written.
    waiting: AtomicUsize,
    taken: AtomicU64,
    /// Wakes a body that waits for its data to be written.
    body: AtomicWaker,
    /// Aborts the task of an HTTP/2 stream.
    stream: Option<AbortHandle>,
    served: AtomicBool,
}

impl Flow {
    /// Creates the flow of an HTTP/1.1 connection.
    pub(crate) fn connection(backlog: Arc<Backlog>) -> Arc<Self> {
        Arc::new(Self::new(backlog, None))
    }

    /// Creates the flow of an HTTP/2 stream, with the registration that aborts its task.
    pub(crate) fn stream(backlog: Arc<Backlog>) -> (Arc<Self>, AbortRegistration) {
        let (handle, registration) = AbortHandle::new_pair();
        (Arc::new(Self::new(backlog, Some(handle))), registration)
    }

    fn new(backlog: Arc<Backlog>, stream: Option<AbortHandle>) -> Self {
        Self {
            backlog,
            waiting: AtomicUsize::new(0),
            taken: AtomicU64::new(0),
            body: AtomicWaker::new(),
            stream,
            served: AtomicBool::new(false),
        }
    }

    /// Runs the task of a stream, in which [`current`](Self::current) returns this flow.
    pub(crate) async fn serve(self: Arc<Self>, task: impl Future) {
        STREAM.scope(self.clone(), task).await;
        self.served.store(true, Relaxed);
    }

    /// Returns the flow of the HTTP/2 stream that the calling task serves.
    pub(crate) fn current() -> Option<Arc<Self>> {
        STREAM.try_with(Arc::clone).ok()
    }

    /// Returns the number of bytes that wait to be written.
    pub(crate) fn waiting(&self) -> usize {
        self.waiting.load(Relaxed)
    }

    /// Returns the number of bytes written.
    pub(crate) fn taken(&self) -> u64 {
        self.taken.load(Relaxed)
    }

    pub(crate) fn is_stream(&self) -> bool {
        self.stream.is_some()
    }

    /// Aborts the task of a stream, which resets it. Returns false if h2 already has the end of the stream: then only
    /// closing the connection frees the held data.
    pub(crate) fn reset(&self) -> bool {
        match &self.stream {
            Some(stream) if !self.served.load(Relaxed) => {
                stream.abort();
                true
            }
            _ => false,
        }
    }

    /// Returns whether a body must wait before it produces more; its task is woken when it need not.
    pub(crate) fn must_wait(&self, cx: &Context<'_>) -> bool {
        !self.backlog.has_room() && self.is_unwritten(cx.waker())
    }

    /// Returns whether data waits to be written; `waker` is woken when none does.
    pub(crate) fn is_unwritten(&self, waker: &Waker) -> bool {
        if self.waiting() == 0 {
            return false;
        }
        self.body.register(waker);
        // The last data may have been written in between.
        self.waiting() > 0
    }

    fn add(&self, bytes: usize) {
        self.waiting.fetch_add(bytes, Relaxed);
        self.backlog.add(bytes);
    }

    fn leave(&self, bytes: usize) {
        if bytes > 0 && self.waiting.fetch_sub(bytes, Relaxed) == bytes {
            self.body.wake();
        }
    }
}

/// A piece of a body, counted from when it enters a flow until hyper drops it.
#[derive(Debug)]
pub(crate) struct Piece {
    bytes: Bytes,
    /// The flow that counts it, and its bytes in the backlog.
    counted: Option<(Arc<Flow>, usize)>,
}

impl Piece {
    /// Creates a piece that is not counted.
    pub(crate) fn new(bytes: Bytes) -> Self {
        Self { bytes, counted: None }
    }

    /// Counts the piece as waiting in `flow`.
    pub(crate) fn count(&mut self, flow: &Arc<Flow>) {
        if self.counted.is_none() && !self.bytes.is_empty() {
            flow.add(self.bytes.len());
            self.counted = Some((flow.clone(), self.bytes.len()));
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Returns the bytes of a piece, and stops counting it.
    pub(crate) fn into_bytes(mut self) -> Bytes {
        std::mem::take(&mut self.bytes)
    }

    /// Takes all but the last byte of a long piece of an HTTP/2 stream, else the whole piece.
    pub(crate) fn take_front(piece: &mut Option<Self>) -> Option<Self> {
        let whole = piece.as_mut()?;
        let Some((flow, counted)) = whole.counted.as_mut().filter(|(flow, _)| flow.is_stream()) else {
            return piece.take();
        };
        if whole.bytes.len() <= SPLIT {
            return piece.take();
        }
        let front = whole.bytes.split_to(whole.bytes.len() - 1);
        let share = (*counted).min(front.len());
        *counted -= share;
        Some(Self { bytes: front, counted: Some((flow.clone(), share)) })
    }
}

impl Buf for Piece {
    fn remaining(&self) -> usize {
        self.bytes.len()
    }

    fn chunk(&self) -> &[u8] {
        &self.bytes
    }

    fn advance(&mut self, count: usize) {
        self.bytes.advance(count);
        if let Some((flow, _)) = &self.counted {
            flow.taken.fetch_add(count as u64, Relaxed);
            flow.leave(count);
        }
    }
}

impl Drop for Piece {
    fn drop(&mut self) {
        if let Some((flow, bytes)) = &self.counted {
            flow.backlog.remove(*bytes);
            flow.leave(self.bytes.len());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use super::*;

    fn piece(length: usize, flow: &Arc<Flow>) -> Piece {
        let mut piece = Piece::new(vec![7; length].into());
        piece.count(flow);
        piece
    }

    #[test]
    fn what_is_written_is_taken_and_what_is_dropped_is_not() {
        let backlog = Backlog::new(100);
        let flow = Flow::connection(backlog.clone());
        let mut written = piece(100, &flow);
        assert!(!backlog.has_room());
        written.advance(30);
        assert_eq!((flow.waiting(), flow.taken()), (70, 30));
        assert!(!backlog.has_room(), "the memory is there until the piece is dropped");
        drop(written);
        assert_eq!((flow.waiting(), flow.taken()), (0, 30));
        assert!(backlog.has_room());
    }

    #[test]
    fn a_body_waits_at_the_bound_while_its_own_data_waits() {
        let backlog = Backlog::new(100);
        let (mine, other) = (Flow::connection(backlog.clone()), Flow::connection(backlog));
        let held = piece(100, &other);
        let cx = Context::from_waker(Waker::noop());
        assert!(!mine.must_wait(&cx), "nothing of its own waits");
        let written = piece(1, &mine);
        assert!(mine.must_wait(&cx));
        drop(held);
        assert!(!mine.must_wait(&cx), "there is room");
        drop(written);
    }

    #[test]
    fn the_last_byte_of_a_long_piece_is_kept_back_for_a_stream() {
        let backlog = Backlog::new(1 << 20);
        let (stream, _registration) = Flow::stream(backlog.clone());
        for (flow, length, first) in [
            (&stream, SPLIT, SPLIT),
            (&stream, SPLIT + 1, SPLIT),
            (&Flow::connection(backlog.clone()), SPLIT + 1, SPLIT + 1),
        ] {
            let mut whole = Some(piece(length, flow));
            let front = Piece::take_front(&mut whole).unwrap();
            assert_eq!((front.len(), whole.as_ref().map_or(0, Piece::len)), (first, length - first));
            assert_eq!(flow.waiting(), length);
            drop((front, whole));
            assert_eq!(flow.waiting(), 0);
        }
    }

    #[tokio::test]
    async fn a_stream_is_reset_until_its_end_is_given_away() {
        let (flow, registration) = Flow::stream(Backlog::new(1));
        let task = futures::future::Abortable::new(flow.clone().serve(std::future::pending::<()>()), registration);
        assert!(flow.reset());
        assert!(task.await.is_err());
        let (flow, _) = Flow::stream(Backlog::new(1));
        flow.clone().serve(async { assert!(Flow::current().is_some()) }).await;
        assert!(!flow.reset() && Flow::current().is_none());
        assert!(!Flow::connection(Backlog::new(1)).reset());
    }
}
