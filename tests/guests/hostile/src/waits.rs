//! Waiting: before the response, after it, forever.

use std::future::pending;
use std::time::Duration;

use tempo_sdk_http::{Body, HeaderValue, IntoResponse, Request, Response, Router, header, sleep, spawn};

use crate::{number, text};

pub(crate) fn routes(router: Router) -> Router {
    router.get("/sleep", sleeping).get("/never", never).get("/after", after).get("/after/open", after_open)
}

/// `?ms=N`: responds after N ms.
async fn sleeping(request: Request) -> impl IntoResponse {
    sleep(milliseconds(&request)).await;
    "slept\n"
}

/// Never responds: waits for a clock, or with `?how=deadlock` for nothing at all.
async fn never(request: Request) -> &'static str {
    if text(&request, "how") == "deadlock" {
        pending::<()>().await;
    }
    loop {
        sleep(Duration::from_secs(3600)).await;
    }
}

/// `?ms=N`: responds at once, continues for N ms, then prints `after`.
async fn after(request: Request) -> impl IntoResponse {
    let time = milliseconds(&request);
    spawn(async move {
        sleep(time).await;
        println!("after {} ms", time.as_millis());
    });
    "answered\n"
}

/// As [`after`], with a body of announced length that stays open meanwhile.
async fn after_open(request: Request) -> Response {
    let time = milliseconds(&request);
    let (mut sender, body) = Body::channel();
    spawn(async move {
        let _ = sender.send("answered\n").await;
        sleep(time).await;
        println!("after {} ms", time.as_millis());
    });
    let mut response = Response::new(body);
    response.headers_mut().insert(header::CONTENT_LENGTH, HeaderValue::from("answered\n".len()));
    response
}

fn milliseconds(request: &Request) -> Duration {
    Duration::from_millis(number(request, "ms", 100))
}
