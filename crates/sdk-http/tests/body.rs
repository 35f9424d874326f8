//! Bodies: complete reads, limits, channels, trailers, errors.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::io;

use futures::executor::block_on;
use futures::{FutureExt, future, stream};
use http_body_util::{BodyExt, Full};
use tempo_sdk_http::{Body, Bytes, Error, ErrorKind, HeaderMap, HeaderValue};

/// Returns the output of a future that does not wait.
fn now<T>(future: impl Future<Output = T>) -> T {
    future.now_or_never().unwrap()
}

fn chunks(sizes: &[usize]) -> Body {
    let chunks: Vec<_> = sizes.iter().map(|size| io::Result::Ok(vec![b'x'; *size])).collect();
    Body::from_stream(stream::iter(chunks))
}

#[test]
fn a_body_is_read_whole() {
    assert_eq!(now(Body::from("one").text()).unwrap(), "one");
    assert_eq!(now(Body::empty().bytes()).unwrap(), Bytes::new());
    assert_eq!(now(chunks(&[3, 0, 4]).bytes()).unwrap().len(), 7);
    assert_eq!(now(Body::new(Full::new(Bytes::from("two"))).text()).unwrap(), "two");
}

#[test]
fn the_limit_holds_for_one_chunk_and_for_many() {
    for sizes in [&[10][..], &[3, 7], &[1, 2, 3, 4]] {
        assert_eq!(now(chunks(sizes).bytes_up_to(10)).unwrap().len(), 10);
        assert_eq!(now(chunks(sizes).bytes_up_to(9)).unwrap_err().kind(), ErrorKind::TooLarge);
    }
}

#[test]
fn text_and_json_that_are_none_are_errors() {
    assert_eq!(now(Body::from(vec![0xff]).text()).unwrap_err().kind(), ErrorKind::Decode);
    assert_eq!(now(Body::from("{").json::<u32>()).unwrap_err().kind(), ErrorKind::Decode);
    assert_eq!(now(Body::from("7").json::<u32>()).unwrap(), 7);
}

#[test]
fn a_broken_stream_is_an_error_after_its_chunks() {
    let mut body = Body::from_stream(stream::iter([Ok("good"), Err(io::Error::other("disk on fire"))]));
    assert_eq!(now(body.chunk()).unwrap().unwrap(), "good");
    assert_eq!(now(body.chunk()).unwrap_err().to_string(), "disk on fire");
}

#[test]
fn an_error_of_ours_comes_through_as_it_is() {
    let error = Error::new(ErrorKind::Timeout, "too slow");
    let body = Body::from_stream(stream::iter([Err::<Bytes, _>(error)]));
    assert_eq!(now(body.bytes()).unwrap_err().kind(), ErrorKind::Timeout);
}

#[test]
fn a_channel_carries_chunks_and_trailers() {
    let (mut sender, mut body) = Body::channel();
    let write = async {
        sender.send("a").await.unwrap();
        sender.send("b").await.unwrap();
        let trailers = HeaderMap::from_iter([("x-sum".parse().unwrap(), HeaderValue::from_static("2"))]);
        sender.trailers(trailers).await.unwrap();
    };
    let read = async {
        assert_eq!(body.chunk().await.unwrap().unwrap(), "a");
        assert_eq!(body.chunk().await.unwrap().unwrap(), "b");
        assert_eq!(body.trailers(), None);
        assert_eq!(body.chunk().await.unwrap(), None);
        assert_eq!(body.trailers().unwrap()["x-sum"], "2");
    };
    block_on(future::join(write, read));
}

#[test]
fn a_channel_holds_the_writer_back() {
    let (mut sender, body) = Body::channel();
    assert!(sender.send("taken").now_or_never().is_some());
    assert!(sender.send("waits").now_or_never().is_none(), "a second chunk must wait for the reader");
    drop(body);
}

#[test]
fn a_channel_without_reader_is_closed() {
    let (mut sender, body) = Body::channel();
    drop(body);
    assert!(now(sender.send("lost")).is_err());
}

#[test]
fn an_aborted_channel_is_not_taken_for_a_complete_body() {
    let (sender, body) = Body::channel();
    let abort = sender.abort(Error::new(ErrorKind::Other, "no more"));
    let (read, ()) = block_on(future::join(body.collect(), abort));
    assert_eq!(read.unwrap_err().to_string(), "no more");
}
