//! HTTP/2 with prior knowledge.

use bytes::Bytes;
use http::{HeaderMap, HeaderValue};
use http_body_util::BodyExt as _;
use hyper::body::Frame;

use crate::support::h2::{block_on, channel, connect, empty, full, get, request, whole};
use crate::support::{serve, serve_with};

#[test]
fn requests_share_a_connection() {
    let server = serve("hostile");
    block_on(async {
        let sender = connect(server.address).await;
        let calls = (0..50).map(|_| {
            let mut sender = sender.clone();
            async move { get(&mut sender, "/sleep?ms=100").await }
        });
        for answer in futures::future::join_all(calls).await {
            assert_eq!(answer, (200, "slept\n".to_owned()));
        }
    });
}

#[test]
fn both_versions_of_wasi_answer() {
    for guest in ["hello", "hello-p2"] {
        let server = serve(guest);
        block_on(async {
            let mut sender = connect(server.address).await;
            assert_eq!(get(&mut sender, "/").await, (200, "Hello from Tempo!\n".to_owned()));
            let head = sender.send_request(request("HEAD", "/", empty())).await.unwrap();
            assert_eq!(head.headers().get("content-length"), Some(&HeaderValue::from_static("18")));
            assert_eq!(whole(head).await.1, "");
        });
    }
}

#[test]
fn trailers_go_both_ways() {
    for guest in ["hostile", "hostile-p2"] {
        let server = serve(guest);
        block_on(async {
            let mut sender = connect(server.address).await;
            let (frames, body) = channel();
            frames.send(Frame::data(Bytes::from_static(b"body"))).unwrap();
            let trailers = HeaderMap::from_iter([("x-sum".parse().unwrap(), HeaderValue::from_static("7"))]);
            frames.send(Frame::trailers(trailers.clone())).unwrap();
            drop(frames);
            let response = sender.send_request(request("POST", "/echo", body)).await.unwrap();
            assert_eq!(whole(response).await, (200, "body".to_owned(), Some(trailers)), "{guest}");
        });
    }
    let server = serve("hostile");
    block_on(async {
        let mut sender = connect(server.address).await;
        let response = sender.send_request(request("GET", "/trailers", empty())).await.unwrap();
        let (_, text, trailers) = whole(response).await;
        assert_eq!(text, "with trailers\n");
        assert_eq!(trailers.unwrap()["x-checksum"], "42");
    });
}

#[test]
fn an_echo_streams_piece_by_piece() {
    let server = serve("hostile");
    block_on(async {
        let mut sender = connect(server.address).await;
        let (frames, body) = channel();
        frames.send(Frame::data(Bytes::from_static(b"piece 0"))).unwrap();
        let mut response = sender.send_request(request("POST", "/echo", body)).await.unwrap();
        for number in 1..10 {
            let data = response.frame().await.unwrap().unwrap().into_data().unwrap();
            assert_eq!(data, format!("piece {}", number - 1));
            frames.send(Frame::data(format!("piece {number}").into())).unwrap();
        }
        drop(frames);
        assert_eq!(whole(response).await.1, "piece 9");
    });
}

#[test]
fn the_body_limit_holds() {
    let server = serve_with("hostile", &["--max-body", "1000B"]);
    block_on(async {
        let mut sender = connect(server.address).await;
        let response = sender.send_request(request("POST", "/echo", full(vec![b'x'; 1000]))).await.unwrap();
        assert_eq!(whole(response).await.1.len(), 1000);
        let response = sender.send_request(request("POST", "/echo", full(vec![b'x'; 1001]))).await.unwrap();
        assert_eq!(response.status(), 413);
        assert_eq!(get(&mut sender, "/").await.0, 200, "the connection stays open");
    });
}

#[test]
fn a_stream_that_is_reset_ends_its_guest_and_no_other() {
    let server =
        serve_with("hostile", &["--max-requests", "2", "--max-queued-requests", "0", "--request-timeout", "10m"]);
    block_on(async {
        let mut sender = connect(server.address).await;
        let abandoned = sender.send_request(request("GET", "/never", empty()));
        let kept = sender.clone().send_request(request("GET", "/big?mib=1", empty()));
        let kept = kept.await.unwrap();
        let timeout = tokio::time::timeout(std::time::Duration::from_millis(200), abandoned).await;
        assert!(timeout.is_err(), "it never answers");
        assert_eq!(whole(kept).await.1.len(), 1 << 20);
        // Both permits are free only once the abandoned guest has ended.
        let first = sender.clone().send_request(request("GET", "/sleep?ms=300", empty()));
        let mut second = sender.clone();
        let second = async {
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
            get(&mut second, "/").await
        };
        let (first, second) = futures::future::join(first, second).await;
        assert_eq!((first.unwrap().status().as_u16(), second.0), (200, 200));
    });
}

#[test]
fn a_trap_costs_its_stream_alone() {
    let server = serve("hostile");
    block_on(async {
        let mut sender = connect(server.address).await;
        let mut other = sender.clone();
        let both = futures::future::join(get(&mut sender, "/trap"), get(&mut other, "/sleep?ms=200"));
        let (trapped, slept) = both.await;
        assert_eq!((trapped.0, slept.0), (500, 200));
    });
}
