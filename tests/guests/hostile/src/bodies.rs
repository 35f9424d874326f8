//! Bodies, headers, trailers, statuses.

use http::header::{CONTENT_LENGTH, TRAILER};
use http::{HeaderMap, HeaderName, HeaderValue};
use tempo_sdk_http::{Body, IntoResponse, Json, Request, Response, Router, Sender, StatusCode, spawn};

use crate::{number, text};

pub(crate) fn routes(router: Router) -> Router {
    router
        .post("/echo", echo)
        .get("/headers", headers)
        .get("/head", head)
        .get("/status", status)
        .get("/bodiless", bodiless)
        .get("/empty", async |_: Request| StatusCode::NO_CONTENT)
        .get("/big", big)
        .get("/trailers", trailers)
        .post("/drop-body", async |_: Request| "not read\n")
        .get("/abort", abort)
}

/// Streams the request's body back, chunk by chunk, with its trailers; with `?pass` forwards it unread.
async fn echo(request: Request) -> Response {
    if request.query() == Some("pass") {
        return Response::new(request.into_body());
    }
    // HTTP/1.1 sends only trailers that the head announces.
    let announced = request.headers().get(TRAILER).cloned();
    let (sender, body) = Body::channel();
    spawn(copy(request.into_body(), sender));
    let mut response = Response::new(body);
    response.headers_mut().extend(announced.map(|names| (TRAILER, names)));
    response
}

async fn copy(mut from: Body, mut to: Sender) {
    loop {
        match from.chunk().await {
            Ok(Some(chunk)) => {
                if to.send(chunk).await.is_err() {
                    return;
                }
            }
            Ok(None) => break,
            Err(error) => return to.abort(error).await,
        }
    }
    if let Some(trailers) = from.trailers().cloned() {
        let _ = to.trailers(trailers).await;
    }
}

/// Returns the received headers as JSON: pairs of name and value, in order.
async fn headers(request: Request) -> impl IntoResponse {
    let pair = |(name, value): (&HeaderName, &HeaderValue)| {
        (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned())
    };
    Json(request.headers().iter().map(pair).collect::<Vec<_>>())
}

/// Returns the method and the whole target, in a line.
async fn head(request: Request) -> impl IntoResponse {
    format!("{} {}\n", request.method(), request.uri())
}

/// `?code=N`: responds with the status N.
async fn status(request: Request) -> impl IntoResponse {
    let code = u16::try_from(number(&request, "code", 200)).unwrap_or(0);
    (StatusCode::from_u16(code).unwrap_or(StatusCode::BAD_REQUEST), format!("{code}\n"))
}

/// `?code=N&length=N&text=T`: responds with the status N, a text, and a `Content-Length` that may be wrong.
async fn bodiless(request: Request) -> Response {
    let code = u16::try_from(number(&request, "code", 200)).unwrap_or(0);
    let mut response = Response::new(Body::from(text(&request, "text")));
    *response.status_mut() = StatusCode::from_u16(code).unwrap_or(StatusCode::BAD_REQUEST);
    if let Some(length) = request.query_value("length").and_then(|length| length.parse().ok()) {
        response.headers_mut().insert(CONTENT_LENGTH, length);
    }
    response
}

/// `?mib=N`: streams N MiB in chunks of 64 KiB.
async fn big(request: Request) -> Response {
    const CHUNK: &[u8] = &[b'x'; 64 * 1024];
    let chunks = number(&request, "mib", 1).saturating_mul(16);
    let (mut sender, body) = Body::channel();
    spawn(async move {
        for _ in 0..chunks {
            if sender.send(CHUNK).await.is_err() {
                println!("the reader of /big is gone");
                return;
            }
        }
    });
    Response::new(body)
}

/// A body with the trailer `x-checksum: 42`.
async fn trailers(_: Request) -> Response {
    let (mut sender, body) = Body::channel();
    spawn(async move {
        if sender.send("with trailers\n").await.is_ok() {
            let trailers =
                HeaderMap::from_iter([(HeaderName::from_static("x-checksum"), HeaderValue::from_static("42"))]);
            let _ = sender.trailers(trailers).await;
        }
    });
    ([("trailer", "x-checksum")], body).into_response()
}

/// Aborts the body after its first chunk: `?how=error` with an error, `panic` and anything else with a trap.
async fn abort(request: Request) -> Response {
    let how = text(&request, "how");
    let (mut sender, body) = Body::channel();
    spawn(async move {
        let _ = sender.send("the first half\n").await;
        if how == "error" {
            let error = tempo_sdk_http::Error::new(tempo_sdk_http::ErrorKind::Other, "asked to break off");
            sender.abort(error).await;
        } else {
            panic!("asked to panic in the middle of a body");
        }
    });
    Response::new(body)
}
