//! Every limit of the client, at its edge.

use std::time::Duration;

use http::{Response, StatusCode};
use http_body_util::BodyExt;
use wasmtime_wasi_http::{Error, RequestOptions};

use crate::support::{channel, client, client_with, configured, data, fetch, full, get, post, refused, serve};

const SHORT: Duration = Duration::from_millis(100);

#[tokio::test]
async fn a_server_that_does_not_answer_times_out() {
    let server = serve(|_| std::future::pending()).await;
    let url = server.url("/");
    let config = configured(|config| config.first_byte_timeout = SHORT);
    let error = refused(&client_with(config, &[&url], &[]), get(&url)).await;
    assert!(matches!(error, Error::ConnectionReadTimeout), "{error:?}");
    let options = RequestOptions { first_byte_timeout: Some(SHORT), ..RequestOptions::default() };
    let shortened = client(&[&url], &[]).send(get(&url), Some(options)).await;
    assert!(matches!(shortened, Err(Error::ConnectionReadTimeout)));
}

#[tokio::test]
async fn the_wait_for_an_answer_starts_again_with_each_part_of_the_request() {
    let server = serve(|request| async move {
        let sent = request.into_body().collect().await.unwrap().to_bytes();
        Response::new(full(sent))
    })
    .await;
    let url = server.url("/");
    let config = configured(|config| config.first_byte_timeout = Duration::from_secs(2));
    let client = client_with(config, &[&url], &[]);
    let (sender, body) = channel();
    tokio::spawn(async move {
        for _ in 0..12 {
            tokio::time::sleep(Duration::from_millis(250)).await;
            sender.send(data("x")).await.unwrap();
        }
    });
    assert_eq!(fetch(&client, post(&url, body)).await.1, "x".repeat(12));
}

#[tokio::test]
async fn a_body_that_stalls_times_out() {
    let server = serve(|_| async {
        let (sender, body) = channel();
        tokio::spawn(async move {
            sender.send(data("first")).await.unwrap();
            std::future::pending::<()>().await;
        });
        Response::new(body)
    })
    .await;
    let url = server.url("/");
    let options = RequestOptions { between_bytes_timeout: Some(SHORT), ..RequestOptions::default() };
    let (response, _transmission) = client(&[&url], &[]).send(get(&url), Some(options)).await.unwrap();
    let mut body = response.into_body();
    assert_eq!(body.frame().await.unwrap().unwrap().into_data().unwrap(), "first");
    let error = body.frame().await.unwrap().unwrap_err();
    assert!(matches!(error, Error::ConnectionReadTimeout), "{error:?}");
}

#[tokio::test]
async fn running_requests_are_bounded() {
    let server = serve(|_| async {
        let (sender, body) = channel();
        tokio::spawn(async move {
            sender.send(data("first")).await.unwrap();
            sender.closed().await;
        });
        Response::new(body)
    })
    .await;
    let url = server.url("/");
    let config = configured(|config| {
        config.max_requests = 2;
        config.connect_timeout = Duration::from_secs(1);
    });
    let client = client_with(config, &[&url], &[]);
    let first = client.send(get(&url), None).await.unwrap();
    let second = client.send(get(&url), None).await.unwrap();
    let error = refused(&client, get(&url)).await;
    assert!(matches!(error, Error::ConnectionLimitReached), "{error:?}");
    drop(first);
    let (_response, _transmission) = client.send(get(&url), None).await.unwrap();
    drop(second);
}

#[tokio::test]
async fn connections_are_bounded() {
    let server = serve(|_| std::future::pending()).await;
    let url = server.url("/");
    let config = configured(|config| {
        config.max_connections = 1;
        config.connect_timeout = Duration::from_secs(1);
    });
    let client = client_with(config, &[&url], &[]);
    let (holder, held) = (client.clone(), url.clone());
    let first = tokio::spawn(async move { holder.send(get(held), None).await.map(|_| ()) });
    while server.connections() == 0 {
        tokio::task::yield_now().await;
    }
    let error = refused(&client, get(&url)).await;
    assert!(matches!(error, Error::ConnectionLimitReached), "{error:?}");
    first.abort();
}

#[tokio::test]
async fn response_fields_are_bounded_in_number() {
    // The server adds `date` and `content-length`.
    let server = serve(|request| async move {
        let count: usize = request.uri().path().trim_start_matches('/').parse().unwrap();
        let mut response = Response::new(full(""));
        for n in 2..count {
            let name = http::HeaderName::try_from(format!("x-{n}")).unwrap();
            response.headers_mut().insert(name, http::HeaderValue::from_static("1"));
        }
        response
    })
    .await;
    let client = client(&[&server.url("")], &[]);
    for count in [99, 100] {
        let (parts, _) = fetch(&client, get(server.url(&format!("/{count}")))).await;
        assert_eq!((parts.status, parts.headers.len()), (StatusCode::OK, count));
    }
    let error = refused(&client, get(server.url("/101"))).await;
    assert!(matches!(error, Error::HttpResponseHeaderSectionSize(None)), "{error:?}");
}

#[tokio::test]
async fn response_fields_are_bounded_in_size() {
    let server = serve(|request| async move {
        let size: usize = request.uri().path().trim_start_matches('/').parse().unwrap();
        Response::builder().header("x-big", "x".repeat(size)).body(full("")).unwrap()
    })
    .await;
    let client = client(&[&server.url("")], &[]);
    let (parts, _) = fetch(&client, get(server.url("/32000"))).await;
    assert_eq!(parts.headers["x-big"].len(), 32_000);
    let error = refused(&client, get(server.url("/33000"))).await;
    assert!(matches!(error, Error::HttpResponseHeaderSectionSize(None)), "{error:?}");
}
