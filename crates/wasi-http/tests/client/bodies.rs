//! Bodies: streamed both ways, with back-pressure, trailers and checked lengths.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, Response};
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use tempo_wasi_http::Client;
use wasmtime_wasi_http::{Error, WasiBody};

use crate::support::{channel, client, data, echo_body, echo_head, empty, fetch, full, get, post, refused, serve};

fn loopback() -> Client {
    client(&["http://127.0.0.1:*"], &[])
}

#[tokio::test]
async fn a_request_is_streamed_while_its_response_is_read() {
    let server = serve(echo_body).await;
    let (sender, body) = channel();
    sender.send(data("one")).await.unwrap();
    let (response, transmission) = loopback().send(post(server.url("/"), body), None).await.unwrap();
    let mut response = response.into_body();
    assert_eq!(response.frame().await.unwrap().unwrap().into_data().unwrap(), "one");
    for part in ["two", "three"] {
        sender.send(data(part)).await.unwrap();
        assert_eq!(response.frame().await.unwrap().unwrap().into_data().unwrap(), part);
    }
    drop(sender);
    assert!(response.frame().await.is_none());
    transmission.await.unwrap();
}

#[tokio::test]
async fn a_response_is_read_no_faster_than_the_component_reads() {
    const CHUNKS: usize = 4096;
    const CHUNK: usize = 64 * 1024;
    let produced = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&produced);
    let server = serve(move |_| {
        let counter = Arc::clone(&counter);
        async move {
            let chunks = (0..CHUNKS).map(move |_| {
                counter.fetch_add(1, Ordering::SeqCst);
                Ok(Frame::data(Bytes::from(vec![b'x'; CHUNK])))
            });
            Response::new(StreamBody::new(futures::stream::iter(chunks)).boxed_unsync())
        }
    })
    .await;
    let (response, _transmission) = loopback().send(get(server.url("/")), None).await.unwrap();
    let mut body = response.into_body();
    let mut received = body.frame().await.unwrap().unwrap().into_data().unwrap().len();
    // The buffers fill up; then the server stalls, or it has sent everything.
    let mut before = usize::MAX;
    loop {
        tokio::time::sleep(Duration::from_millis(300)).await;
        let now = produced.load(Ordering::SeqCst);
        if now == before {
            break;
        }
        before = now;
    }
    assert!(before < CHUNKS / 2, "{before} of {CHUNKS} chunks were taken from the server unread");
    while let Some(frame) = body.frame().await {
        received += frame.unwrap().into_data().unwrap().len();
    }
    assert_eq!(received, CHUNKS * CHUNK);
}

#[tokio::test]
async fn trailers_pass_both_ways() {
    let server = serve(|request| async move {
        let (_, mut body) = request.into_parts();
        let mut seen = None;
        while let Some(frame) = body.frame().await {
            if let Ok(trailers) = frame.unwrap().into_trailers() {
                seen = trailers.get("x-sum").cloned();
            }
        }
        let trailers = HeaderMap::from_iter([(http::HeaderName::from_static("x-back"), seen.unwrap())]);
        let frames = [data("body"), Ok(Frame::trailers(trailers))];
        let body: WasiBody = StreamBody::new(futures::stream::iter(frames)).boxed_unsync();
        Response::builder().header("trailer", "x-back").body(body).unwrap()
    })
    .await;
    let trailers = HeaderMap::from_iter([
        (http::HeaderName::from_static("x-sum"), HeaderValue::from_static("42")),
        (http::HeaderName::from_static("connection"), HeaderValue::from_static("close")),
    ]);
    let frames = [data("body"), Ok(Frame::trailers(trailers))];
    let request = Request::post(server.url("/"))
        .header("trailer", "x-sum")
        .header("te", "trailers")
        .body(StreamBody::new(futures::stream::iter(frames)).boxed_unsync())
        .unwrap();
    let (response, transmission) = loopback().send(request, None).await.unwrap();
    let collected = response.into_body().collect().await.unwrap();
    assert_eq!(collected.trailers().unwrap()["x-back"], "42");
    assert_eq!(collected.to_bytes(), "body");
    transmission.await.unwrap();
}

#[tokio::test]
async fn a_length_that_is_not_the_bodys_fails() {
    let server = serve(echo_body).await;
    let streamed = |parts: &'static [&'static str]| -> WasiBody {
        StreamBody::new(futures::stream::iter(parts.iter().map(|part| data(part)))).boxed_unsync()
    };
    let request = |length: &str, body: WasiBody| {
        Request::post(server.url("/")).header("content-length", length).body(body).unwrap()
    };
    let client = loopback();
    assert_eq!(fetch(&client, request("6", streamed(&["one", "two"]))).await.1, "onetwo");
    assert_eq!(fetch(&client, request("0", streamed(&[]))).await.1, "");
    for (length, body, sent) in [
        ("5", streamed(&["one", "two"]), Some(6)),
        ("7", streamed(&["one", "two"]), Some(6)),
        ("0", streamed(&["one"]), Some(0)),
        ("7", full("onetwo"), Some(6)),
        ("1", empty(), Some(0)),
        ("+6", full("onetwo"), None),
    ] {
        let error = refused(&client, request(length, body)).await;
        match error {
            Error::HttpRequestBodySize(found) => assert_eq!(found, sent, "{length}"),
            other => panic!("{length}: {other:?}"),
        }
    }
}

#[tokio::test]
async fn a_body_that_fails_fails_the_request_with_its_own_error() {
    let server = serve(echo_body).await;
    let client = loopback();
    let frames = || futures::stream::iter([data("one"), Err(Error::LoopDetected)]);
    let body = StreamBody::new(frames()).boxed_unsync();
    let hang = serve(|request| async move {
        let _ = request.into_body().collect().await;
        Response::new(empty())
    })
    .await;
    let error = refused(&client, post(hang.url("/"), body)).await;
    assert!(matches!(error, Error::LoopDetected), "{error:?}");

    // Once the response has begun, the transmission reports the error.
    let (sender, body) = channel();
    sender.send(data("one")).await.unwrap();
    let (_response, transmission) = client.send(post(server.url("/"), body), None).await.unwrap();
    sender.send(Err(Error::LoopDetected)).await.unwrap();
    let error = transmission.await.unwrap_err();
    assert!(matches!(error, Error::LoopDetected), "{error:?}");
}

#[tokio::test]
async fn an_early_answer_counts_although_the_body_was_not_read() {
    let server = serve(|_| async { Response::builder().status(413).body(full("too much")).unwrap() }).await;
    let (sender, body) = channel();
    sender.send(data("one")).await.unwrap();
    let (response, transmission) = loopback().send(post(server.url("/"), body), None).await.unwrap();
    assert_eq!(response.status(), 413);
    assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), "too much");
    drop(sender);
    transmission.await.unwrap();
}

/// The server's view of a request without a body: its length fields.
async fn announced(method: &str, body: WasiBody) -> Vec<String> {
    let server = serve(echo_head).await;
    let request = Request::builder().method(method).uri(server.url("/")).body(body).unwrap();
    let head = fetch(&loopback(), request).await.1;
    let fields = head.lines().filter(|line| line.starts_with("content-length") || line.starts_with("transfer"));
    fields.map(str::to_owned).collect()
}

#[tokio::test]
async fn a_request_without_a_body_is_not_sent_in_chunks() {
    for (method, expected) in [
        ("GET", None),
        ("DELETE", None),
        ("OPTIONS", None),
        ("POST", Some("content-length: 0")),
        ("PUT", Some("content-length: 0")),
        ("PATCH", Some("content-length: 0")),
        ("PROPFIND", Some("content-length: 0")),
    ] {
        assert_eq!(announced(method, empty()).await, Vec::from_iter(expected), "{method}");
        // An empty stream, as the bodies of components are.
        let nothing: WasiBody = StreamBody::new(futures::stream::iter([data("")])).boxed_unsync();
        assert_eq!(announced(method, nothing).await, Vec::from_iter(expected), "{method}");
        let (sender, body) = channel();
        let later = async {
            tokio::task::yield_now().await;
            drop(sender);
        };
        let (found, ()) = futures::future::join(announced(method, body), later).await;
        assert_eq!(found, Vec::from_iter(expected), "{method}");
    }
}

#[tokio::test]
async fn a_declared_length_of_nothing_is_left_out_where_it_goes_without_saying() {
    let server = serve(echo_head).await;
    for (method, announced) in [("GET", false), ("DELETE", false), ("OPTIONS", false), ("POST", true), ("PUT", true)] {
        let request = Request::builder().method(method).uri(server.url("/")).header("content-length", "0");
        let head = fetch(&loopback(), request.body(empty()).unwrap()).await.1;
        assert_eq!(head.contains("content-length: 0"), announced, "{method}: {head}");
    }
}

#[tokio::test]
async fn a_get_with_a_streamed_body_goes_out() {
    let server = serve(echo_body).await;
    let client = loopback();
    let streamed = || -> WasiBody { StreamBody::new(futures::stream::iter([data("query")])).boxed_unsync() };
    assert_eq!(fetch(&client, Request::get(server.url("/")).body(streamed()).unwrap()).await.1, "query");
    let request = Request::get(server.url("/")).header("content-length", "5").body(streamed()).unwrap();
    assert_eq!(fetch(&client, request).await.1, "query");
    assert_eq!(fetch(&client, Request::get(server.url("/")).body(full("query")).unwrap()).await.1, "query");

    // The same when the body only starts after the response.
    let (sender, body) = channel();
    let (response, transmission) = client.send(Request::get(server.url("/")).body(body).unwrap(), None).await.unwrap();
    sender.send(data("late")).await.unwrap();
    drop(sender);
    assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), "late");
    transmission.await.unwrap();
}
