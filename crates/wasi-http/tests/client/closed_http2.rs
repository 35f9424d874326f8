//! HTTP/2 connections that the server closes while a request is in flight. The server is written frame by frame, as no
//! library closes connections at the relevant points.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use http::{Method, Request};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use wasmtime_wasi_http::{Error, WasiBody};

use crate::support::{empty, fetch, full, get};
use crate::tls::Authority;

const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const GOAWAY: u8 = 7;
const END_STREAM_AND_HEADERS: u8 = 5;
const ACK: u8 = 1;

const REFUSED_STREAM: u32 = 7;
const INTERNAL_ERROR: u32 = 2;

/// The server's reaction to the head of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Act {
    /// Answers with 200.
    Answer,
    /// Sends GOAWAY that excludes this request and later ones.
    GoAway,
    /// Sends GOAWAY that excludes later requests, and closes the connection without an answer to this one.
    GoAwayAndClose,
    /// Closes the connection.
    Close,
    /// Refuses this request only.
    Refuse,
    /// Fails this request.
    Fail,
    /// Begins a response, and closes the connection.
    AnswerHalf,
}

struct Connection(TlsStream<TcpStream>);

impl Connection {
    async fn send(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
        let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
        let head = [&length[1..], &[kind, flags], &stream.to_be_bytes()].concat();
        self.0.write_all(&[&head[..], payload].concat()).await.unwrap();
    }

    /// The stream of the next request.
    async fn request(&mut self) -> std::io::Result<u32> {
        loop {
            let mut head = [0; 9];
            self.0.read_exact(&mut head).await?;
            let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
            let mut payload = vec![0; usize::try_from(length).unwrap()];
            self.0.read_exact(&mut payload).await?;
            match head[3] {
                HEADERS => return Ok(u32::from_be_bytes([head[5], head[6], head[7], head[8]])),
                SETTINGS if head[4] & ACK == 0 => self.send(SETTINGS, ACK, 0, &[]).await,
                _ => {}
            }
        }
    }

    async fn go_away(&mut self, last: u32) {
        self.send(GOAWAY, 0, 0, &[last.to_be_bytes(), 0_u32.to_be_bytes()].concat()).await;
    }

    /// Reacts once to each request, and stays open after the last unless it has closed the connection.
    async fn serve(mut self, acts: &[Act]) {
        let mut preface = [0; 24];
        self.0.read_exact(&mut preface).await.unwrap();
        self.send(SETTINGS, 0, 0, &[]).await;
        for act in acts {
            let Ok(stream) = self.request().await else { return };
            match act {
                // `:status: 200` is in HPACK's static table.
                Act::Answer => self.send(HEADERS, END_STREAM_AND_HEADERS, stream, &[0x88]).await,
                Act::GoAway => self.go_away(stream.saturating_sub(2)).await,
                Act::GoAwayAndClose => {
                    self.go_away(stream).await;
                    return;
                }
                Act::Close => return,
                Act::Refuse => self.send(RST_STREAM, 0, stream, &REFUSED_STREAM.to_be_bytes()).await,
                Act::Fail => self.send(RST_STREAM, 0, stream, &INTERNAL_ERROR.to_be_bytes()).await,
                Act::AnswerHalf => {
                    // Without END_HEADERS, so that part of the head is missing.
                    self.send(HEADERS, 0, stream, &[0x88]).await;
                    return;
                }
            }
        }
        while self.request().await.is_ok() {}
    }
}

/// Starts a server whose connections follow the scripts in turn. Returns its URL and the number of connections.
async fn scripted(acceptor: TlsAcceptor, connections: &'static [&'static [Act]]) -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://localhost:{}/", listener.local_addr().unwrap().port());
    let accepted = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&accepted);
    tokio::spawn(async move {
        for acts in connections {
            let (stream, _) = listener.accept().await.unwrap();
            counter.fetch_add(1, Ordering::SeqCst);
            let acceptor = acceptor.clone();
            tokio::spawn(async move { Connection(acceptor.accept(stream).await.unwrap()).serve(acts).await });
        }
    });
    (url, accepted)
}

/// Sends a GET, then `request` on the same connection. Returns its status and the number of connections.
async fn second(
    connections: &'static [&'static [Act]],
    method: &Method,
    body: WasiBody,
) -> (Result<u16, Error>, usize) {
    let authority = Authority::new();
    let (url, accepted) = scripted(authority.acceptor("localhost", &["h2"]), connections).await;
    let client = authority.client();
    assert_eq!(fetch(&client, get(&url)).await.0.version, http::Version::HTTP_2);
    let request = Request::builder().method(method).uri(url).body(body).unwrap();
    let result = client.send(request, None).await.map(|(response, _)| response.status().as_u16());
    (result, accepted.load(Ordering::SeqCst))
}

#[tokio::test]
async fn an_idempotent_request_on_a_closed_connection_is_sent_once_more() {
    const CLOSED: &[&[&[Act]]] = &[
        &[&[Act::Answer, Act::GoAway], &[Act::Answer]],
        &[&[Act::Answer, Act::GoAwayAndClose], &[Act::Answer]],
        &[&[Act::Answer, Act::Close], &[Act::Answer]],
        &[&[Act::Answer, Act::Refuse], &[Act::Answer]],
        &[&[Act::Answer, Act::AnswerHalf], &[Act::Answer]],
    ];
    for connections in CLOSED {
        for method in [Method::GET, Method::PUT, Method::DELETE] {
            let (status, accepted) = second(connections, &method, empty()).await;
            assert_eq!((status.unwrap(), accepted), (200, 2), "{method} {connections:?}");
        }
    }
    // Retried only once.
    const GO_AWAY: &[&[Act]] = &[&[Act::Answer, Act::GoAway], &[Act::GoAway], &[Act::Answer]];
    const CLOSE: &[&[Act]] = &[&[Act::Answer, Act::Close], &[Act::Close], &[Act::Answer]];
    for connections in [GO_AWAY, CLOSE] {
        let (status, accepted) = second(connections, &Method::GET, empty()).await;
        let error = status.unwrap_err();
        assert!(matches!(error, Error::ConnectionTerminated), "{error:?} {connections:?}");
        assert_eq!(accepted, 2, "{connections:?}");
    }
}

#[tokio::test]
async fn other_requests_are_sent_once() {
    const GO_AWAY: &[&[Act]] = &[&[Act::Answer, Act::GoAwayAndClose], &[Act::Answer]];
    const CLOSE: &[&[Act]] = &[&[Act::Answer, Act::Close], &[Act::Answer]];
    const NOT_TAKEN: &[&[Act]] = &[&[Act::Answer, Act::GoAway], &[Act::Answer]];
    const REFUSE: &[&[Act]] = &[&[Act::Answer, Act::Refuse], &[Act::Answer]];
    for (connections, method, body) in [
        (NOT_TAKEN, Method::POST, empty()),
        (REFUSE, Method::POST, empty()),
        (GO_AWAY, Method::POST, empty()),
        (CLOSE, Method::POST, empty()),
        (GO_AWAY, Method::PUT, full("body")),
        (CLOSE, Method::PUT, full("body")),
    ] {
        let (status, accepted) = second(connections, &method, body).await;
        let error = status.unwrap_err();
        assert!(matches!(error, Error::ConnectionTerminated), "{error:?} {method} {connections:?}");
        assert_eq!(accepted, 1, "{method} {connections:?}");
    }
    // The server has started to process it.
    const FAIL: &[&[Act]] = &[&[Act::Answer, Act::Fail], &[Act::Answer]];
    let (status, accepted) = second(FAIL, &Method::GET, empty()).await;
    assert!(matches!(status.unwrap_err(), Error::HttpProtocolError));
    assert_eq!(accepted, 1);
}
