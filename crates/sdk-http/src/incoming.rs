//! Bodies from the host: of the incoming request, or of the response to an outgoing one.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::Frame;
use wasip3::http::types::{ErrorCode, Request, Response, Trailers};
use wasip3::wit_future;
use wit_bindgen::{FutureReader, FutureWriter, StreamReader, StreamResult};

use crate::body::{Body, Kind};
use crate::pieces::{self, StreamingBody};
use crate::{Error, fields};

/// The size of one read from the host's stream, in bytes.
const CHUNK_BYTES: usize = 64 * 1024;

pub(crate) type BodyStream = StreamReader<u8>;
pub(crate) type TrailersFuture = FutureReader<Result<Option<Trailers>, ErrorCode>>;

/// The host's message that owns the body. Reading consumes it.
pub(crate) enum HostMessage {
    Request(Request),
    Response(Response),
}

pub(crate) struct Incoming {
    state: State,
    /// The bytes that are left of the announced length; `None` if no length is announced.
    left: Option<u64>,
}

enum State {
    Unread(HostMessage),
    Idle(Reader),
    Reading(Pin<Box<dyn Future<Output = (Reader, StreamResult)> + Send>>),
    Ending(Pin<Box<dyn Future<Output = Result<Option<Trailers>, ErrorCode>> + Send>>),
    Done,
}

struct Reader {
    contents: BodyStream,
    end: TrailersFuture,
    buffer: Vec<u8>,
    /// Dropping it reports success to the host.
    _taken: FutureWriter<Result<(), ErrorCode>>,
}

impl Incoming {
    /// Creates the body of `message`, of the announced `length`.
    pub(crate) fn new(message: HostMessage, length: Option<u64>) -> Self {
        Self { state: State::Unread(message), left: length }
    }
}

impl StreamingBody for Incoming {
    fn simplify(self: Pin<Box<Self>>, _: &mut Context<'_>) -> Body {
        Kind::Stream(self).into()
    }

    /// Forwards the host's own stream if nothing was read from it yet, so that the data does not pass through the
    /// component.
    fn send(mut self: Pin<Box<Self>>) -> (BodyStream, TrailersFuture) {
        match std::mem::replace(&mut self.state, State::Done) {
            State::Unread(message) => {
                let reader = Reader::new(message);
                (reader.contents, reader.end)
            }
            state => {
                self.state = state;
                pieces::send(self)
            }
        }
    }

    fn is_received(&self) -> bool {
        self.left == Some(0)
    }
}

impl http_body::Body for Incoming {
    type Data = Bytes;
    type Error = Error;

    fn is_end_stream(&self) -> bool {
        matches!(self.state, State::Done)
    }

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        loop {
            match std::mem::replace(&mut self.state, State::Done) {
                State::Unread(message) => self.state = State::Idle(Reader::new(message)),
                State::Idle(reader) => self.state = State::Reading(Box::pin(reader.read())),
                State::Reading(mut read) => {
                    let Poll::Ready((mut reader, result)) = read.as_mut().poll(cx) else {
                        self.state = State::Reading(read);
                        return Poll::Pending;
                    };
                    if result == StreamResult::Dropped {
                        self.state = State::Ending(Box::pin(reader.end.into_future()));
                        continue;
                    }
                    let chunk = reader.take();
                    self.state = State::Idle(reader);
                    // `None` if more than was announced arrives: only the end is reliable then.
                    self.left = self.left.and_then(|left| left.checked_sub(chunk.len() as u64));
                    return Poll::Ready(Some(Ok(Frame::data(chunk))));
                }
                State::Ending(mut end) => {
                    let Poll::Ready(result) = end.as_mut().poll(cx) else {
                        self.state = State::Ending(end);
                        return Poll::Pending;
                    };
                    return Poll::Ready(last_frame(result));
                }
                State::Done => return Poll::Ready(None),
            }
        }
    }
}

impl Reader {
    fn new(message: HostMessage) -> Self {
        let (taken, result) = wit_future::new(|| Ok(()));
        let (contents, end) = match message {
            HostMessage::Request(request) => Request::consume_body(request, result),
            HostMessage::Response(response) => Response::consume_body(response, result),
        };
        Self { contents, end, buffer: Vec::new(), _taken: taken }
    }

    async fn read(mut self) -> (Self, StreamResult) {
        let mut buffer = std::mem::take(&mut self.buffer);
        buffer.reserve_exact(CHUNK_BYTES);
        let (result, buffer) = self.contents.read(buffer).await;
        self.buffer = buffer;
        (self, result)
    }

    /// Takes the bytes of the last read. A small chunk is copied, so that it does not keep a large buffer alive.
    fn take(&mut self) -> Bytes {
        if self.buffer.len() < CHUNK_BYTES / 4 {
            let chunk = Bytes::copy_from_slice(&self.buffer);
            self.buffer.clear();
            chunk
        } else {
            Bytes::from(std::mem::take(&mut self.buffer))
        }
    }
}

fn last_frame(end: Result<Option<Trailers>, ErrorCode>) -> Option<Result<Frame<Bytes>, Error>> {
    match end {
        Ok(None) => None,
        Ok(Some(trailers)) => Some(Ok(Frame::trailers(fields::from_host(&trailers)))),
        Err(code) => Some(Err(Error::from_code("the body broke off", &code))),
    }
}
