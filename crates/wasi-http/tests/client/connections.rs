//! Connections: reuse, refusal, and failures.

use std::net::TcpListener as StdListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use http::Response;
use http_body_util::BodyExt;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use wasmtime_wasi_http::{Error, RequestOptions, WasiBody};

use crate::support::{client, client_with, configured, echo_head, empty, fetch, full, get, refused, serve};

const LOOPBACK: (&[&str], &[&str]) = (&["*"], &["127.0.0.0/8"]);

#[tokio::test]
async fn connections_are_reused_across_requests_and_spellings() {
    let server = serve(echo_head).await;
    let client = client(LOOPBACK.0, LOOPBACK.1);
    for n in 0..20 {
        let host = if n % 2 == 0 { "127.0.0.1" } else { "0x7f.1" };
        fetch(&client, get(format!("http://{host}:{}/", server.address.port()))).await;
        // Lets the connection's task return it to the pool.
        tokio::task::yield_now().await;
    }
    assert!(server.connections() < 20, "{} connections for 20 requests", server.connections());
}

#[tokio::test]
async fn a_client_moves_between_runtimes() {
    let server = serve(echo_head).await;
    let client = client(LOOPBACK.0, LOOPBACK.1);
    fetch(&client, get(server.url("/"))).await;
    let url = server.url("/");
    let elsewhere = tokio::task::spawn_blocking(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async { fetch(&client, get(url)).await.0.status })
    });
    assert_eq!(elsewhere.await.unwrap(), 200);
}

#[tokio::test]
async fn a_closed_port_refuses() {
    let address = StdListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let error = refused(&client(LOOPBACK.0, LOOPBACK.1), get(format!("http://{address}/"))).await;
    assert!(matches!(error, Error::ConnectionRefused), "{error:?}");
}

#[tokio::test]
async fn a_name_that_does_not_exist_is_a_dns_error() {
    let error = refused(&client(LOOPBACK.0, LOOPBACK.1), get("http://no-such-host.invalid/")).await;
    assert!(matches!(error, Error::DnsError { .. } | Error::DnsTimeout), "{error:?}");
}

/// Linux drops connection attempts when a listen queue is full, which acts like an unresponsive address.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_server_that_does_not_accept_times_out() {
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let listener = socket.listen(1).unwrap();
    let address = listener.local_addr().unwrap();
    let mut held = Vec::new();
    while let Ok(stream) =
        tokio::time::timeout(Duration::from_millis(300), tokio::net::TcpStream::connect(address)).await
    {
        held.push(stream.unwrap());
    }
    let config = configured(|config| config.connect_timeout = Duration::from_millis(200));
    let error = refused(&client_with(config, LOOPBACK.0, LOOPBACK.1), get(format!("http://{address}/"))).await;
    assert!(matches!(error, Error::ConnectionTimeout), "{error:?}");
    let options = RequestOptions { connect_timeout: Some(Duration::from_millis(50)), ..RequestOptions::default() };
    let shortened = client(LOOPBACK.0, LOOPBACK.1).send(get(format!("http://{address}/")), Some(options)).await;
    assert!(matches!(shortened, Err(Error::ConnectionTimeout)));
    drop(held);
}

/// Reads a request's head and writes `answer`, then closes.
async fn answer_once(answer: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                head.push(stream.read_u8().await.unwrap());
            }
            stream.write_all(answer.as_bytes()).await.unwrap();
            stream.shutdown().await.unwrap();
        }
    });
    url
}

#[tokio::test]
async fn broken_answers_are_told_apart() {
    let client = client(LOOPBACK.0, LOOPBACK.1);
    let error = refused(&client, get(answer_once("").await)).await;
    assert!(matches!(error, Error::ConnectionTerminated), "{error:?}");
    let error = refused(&client, get(answer_once("HTTP/1.1 200 OK\r\nserv").await)).await;
    assert!(matches!(error, Error::ConnectionTerminated), "{error:?}");
    let error = refused(&client, get(answer_once("SSH-2.0-OpenSSH\r\n\r\n").await)).await;
    assert!(matches!(error, Error::HttpProtocolError), "{error:?}");
    let switching = "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n";
    let error = refused(&client, get(answer_once(switching).await)).await;
    assert!(matches!(error, Error::HttpUpgradeFailed | Error::HttpProtocolError), "{error:?}");

    for cut in [
        "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhello",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n",
    ] {
        let (response, _transmission) = client.send(get(answer_once(cut).await), None).await.unwrap();
        let error = response.into_body().collect().await.err().unwrap();
        assert!(matches!(error, Error::HttpResponseIncomplete), "{error:?}");
    }
}

#[tokio::test]
async fn a_dropped_request_frees_its_turn() {
    let server = serve(|request| async move {
        if request.uri().path() == "/hang" {
            std::future::pending::<()>().await;
        }
        Response::new(full("done"))
    })
    .await;
    let config = configured(|config| config.max_requests = 1);
    let client = client_with(config, LOOPBACK.0, LOOPBACK.1);
    let hanging = tokio::spawn({
        let (client, url) = (client.clone(), server.url("/hang"));
        async move { client.send(get(url), None).await.map(|_| ()) }
    });
    while server.connections() == 0 {
        tokio::task::yield_now().await;
    }
    hanging.abort();
    assert!(hanging.await.unwrap_err().is_cancelled());
    assert_eq!(fetch(&client, http::Request::get(server.url("/")).body(empty()).unwrap()).await.1, "done");
}

/// Starts a server whose connections answer requests in turn with these bytes, or by closing the connection on an empty
/// entry. Closes after the last one too.
async fn scripted(connections: &'static [&'static [&'static str]]) -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let accepted = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&accepted);
    tokio::spawn(async move {
        for answers in connections {
            let (mut stream, _) = listener.accept().await.unwrap();
            counter.fetch_add(1, Ordering::SeqCst);
            tokio::spawn(async move {
                for answer in *answers {
                    let mut head = Vec::new();
                    while !head.ends_with(b"\r\n\r\n") {
                        head.push(stream.read_u8().await.unwrap());
                    }
                    stream.write_all(answer.as_bytes()).await.unwrap();
                }
            });
        }
    });
    (url, accepted)
}

const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\ndone";

/// Sends a GET, then the request on the same connection, which the server answers by its script.
async fn second(url: &str, request: http::request::Builder, body: WasiBody) -> Result<u16, Error> {
    let client = client(LOOPBACK.0, LOOPBACK.1);
    assert_eq!(fetch(&client, get(url)).await.1, "done");
    // Lets the connection's task return it to the pool.
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    client.send(request.uri(url).body(body).unwrap(), None).await.map(|(response, _)| response.status().as_u16())
}

#[tokio::test]
async fn an_idempotent_request_on_a_closed_connection_is_sent_once_more() {
    for method in ["GET", "HEAD", "OPTIONS", "PUT", "DELETE"] {
        let (url, accepted) = scripted(&[&[OK, ""], &[OK]]).await;
        let status = second(&url, http::Request::builder().method(method), empty()).await.unwrap();
        assert_eq!((status, accepted.load(Ordering::SeqCst)), (200, 2), "{method}");
    }
    // Retried only once.
    let (url, accepted) = scripted(&[&[OK, ""], &[""], &[OK]]).await;
    let error = second(&url, http::Request::get("/"), empty()).await.unwrap_err();
    assert!(matches!(error, Error::ConnectionTerminated), "{error:?}");
    assert_eq!(accepted.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn other_requests_are_sent_once() {
    const SILENT: &[&[&str]] = &[&[OK, ""], &[OK]];
    // Part of a response has arrived.
    const BEGUN: &[&[&str]] = &[&[OK, "HTTP/1.1 200 OK\r\n"], &[OK]];
    const JUST_BEGUN: &[&[&str]] = &[&[OK, "H"], &[OK]];
    for (script, request, body) in [
        (SILENT, http::Request::post("/"), empty()),
        (SILENT, http::Request::builder().method("PATCH"), empty()),
        (SILENT, http::Request::put("/"), full("body")),
        (BEGUN, http::Request::get("/"), empty()),
        (JUST_BEGUN, http::Request::get("/"), empty()),
    ] {
        let (url, accepted) = scripted(script).await;
        let error = second(&url, request, body).await.unwrap_err();
        assert!(matches!(error, Error::ConnectionTerminated), "{error:?}");
        assert_eq!(accepted.load(Ordering::SeqCst), 1);
    }
    // A connection without a response was not pooled.
    let (url, accepted) = scripted(&[&[""], &[OK]]).await;
    let error = refused(&client(LOOPBACK.0, LOOPBACK.1), get(&url)).await;
    assert!(matches!(error, Error::ConnectionTerminated), "{error:?}");
    assert_eq!(accepted.load(Ordering::SeqCst), 1);
}
