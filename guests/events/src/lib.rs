//! Server-sent events: a response that streams for hours, and a page that shows it.
//!
//! Serve it with `cargo xtask run events`, and open <http://127.0.0.1:8080/> or try
//! `curl -N 'http://127.0.0.1:8080/events?every=60000'`. A stream may pause for as long as `--stream-idle-timeout`.

use std::sync::LazyLock;
use std::time::Duration;

use tempo_sdk_http::{Body, IntoResponse, Request, Router, sleep, spawn};

static ROUTES: LazyLock<Router> = LazyLock::new(|| Router::new().get("/", page).get("/events", events));

#[tempo_sdk_http::handler]
async fn main(request: Request) -> impl IntoResponse {
    ROUTES.handle(request).await
}

/// A page that appends each event to a list.
async fn page(_: Request) -> impl IntoResponse {
    ([("content-type", "text/html; charset=utf-8")], include_str!("page.html"))
}

/// `?every=MS`: the pause before each event. `?work=MS`: how long each event takes to compute. `?count=N`: the number of
/// events. A client that reconnects continues after its `Last-Event-ID`.
async fn events(request: Request) -> impl IntoResponse {
    let number = |name, default| request.query_value(name).and_then(|value| value.parse().ok()).unwrap_or(default);
    let (every, work) = (Duration::from_millis(number("every", 1000)), Duration::from_millis(number("work", 0)));
    let last = request.headers().get("last-event-id").and_then(|id| id.to_str().ok()?.parse().ok()).unwrap_or(0_u64);
    let count = number("count", u64::MAX);
    let (mut sender, body) = Body::channel();
    spawn(async move {
        for id in (last + 1..).take(usize::try_from(count).unwrap_or(usize::MAX)) {
            sleep(every).await;
            compute(work);
            if sender.send(format!("id: {id}\ndata: event {id}\n\n")).await.is_err() {
                return; // the client disconnected
            }
        }
    });
    ([("content-type", "text/event-stream"), ("cache-control", "no-store")], body)
}

/// Stands for the work that an event takes.
fn compute(time: Duration) {
    let start = std::time::Instant::now();
    while start.elapsed() < time {
        std::hint::spin_loop();
    }
}
