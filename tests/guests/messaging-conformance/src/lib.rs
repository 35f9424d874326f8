//! Conformance checks of a host's `tempo:messaging@0.1.0`, run one by one on request, on any broker. `GET /checks`
//! lists their names, `GET /check/NAME` runs one: 200, or 500 with the difference. The other routes let a test use the
//! same topics.
//!
//! The component handles the messages too: the message contains the handler's action (`handle.rs`), and the handler
//! records deliveries in the keyvalue store `default` (`seen.rs`), where the checks read them. They need a subscription
//! to `check.>` with a short backoff and three deliveries. Names with the prefix `kept-` are for persistent brokers,
//! names with `core-` for brokers without persistence; the others are for both.

mod act;
mod dispositions;
mod facts;
mod handle;
mod many;
#[path = "../../../shared/outcome.rs"]
mod outcome;
mod parts;
mod refused;
mod requests;
mod scope;
mod seen;

use std::pin::Pin;
use std::sync::LazyLock;

use scope::{Outcome, Scope};
use tempo_sdk_http::{IntoResponse, Request, Response, Router, StatusCode};

type Check = fn(Scope) -> Pin<Box<dyn Future<Output = Outcome>>>;

macro_rules! checks {
    ($($name:literal: $check:path,)+) => { &[$(($name, |scope| Box::pin($check(scope)))),+] };
}

const CHECKS: &[(&str, Check)] = checks! {
    "bytes": parts::bytes,
    "largest": parts::largest,
    "parts": parts::all,
    "no-parts": parts::none,
    "headers": parts::headers,
    "header-values": parts::header_values,
    "most-headers": parts::most_headers,
    "odd-topics": parts::odd_topics,
    "bad-topics": refused::topics,
    "denied-topics": refused::denied_topics,
    "bad-headers": refused::headers,
    "bad-parts": refused::parts,
    "too-large": refused::too_large,
    "unknown-client": refused::unknown_client,
    "many": many::all,
    "many-some-bad": many::some_bad,
    "many-none": many::none,
    "delivery": facts::delivery,
    "kept-sequence": facts::sequence,
    "core-sequence": facts::no_sequence,
    "kept-id": facts::id,
    "kept-retry": dispositions::retry,
    "kept-retry-delay": dispositions::delay,
    "kept-error": dispositions::error,
    "kept-trap": dispositions::trap,
    "kept-attempts": dispositions::attempts,
    "reject": dispositions::reject,
    "neighbours": dispositions::neighbours,
    "core-retry": dispositions::forgotten,
    "request": requests::answered,
    "request-parts": requests::parts,
    "requests-at-once": requests::at_once,
    "request-timeout": requests::timeout,
    "request-late": requests::late,
    "request-without-subscriber": requests::no_subscriber,
    "request-bad": requests::bad,
};

static ROUTES: LazyLock<Router> = LazyLock::new(|| {
    let router = Router::new().get("/checks", names).get("/check/{name}", check);
    act::routes(router)
});

#[tempo_sdk_http::handler]
async fn main(request: Request) -> impl IntoResponse {
    ROUTES.handle(request).await
}

/// Lists the names of all checks, one per line.
async fn names(_: Request) -> impl IntoResponse {
    CHECKS.iter().map(|(name, _)| format!("{name}\n")).collect::<String>()
}

/// Runs one check.
async fn check(request: Request) -> Response {
    let name = request.parameter("name").unwrap_or_default();
    let Some((_, check)) = CHECKS.iter().find(|(known, _)| *known == name) else {
        return (StatusCode::NOT_FOUND, format!("no check is called {name}\n")).into_response();
    };
    let outcome = match Scope::new(name).await {
        Ok(scope) => check(scope).await,
        Err(error) => Err(error),
    };
    match outcome {
        Ok(()) => "ok\n".into_response(),
        Err(differs) => (StatusCode::INTERNAL_SERVER_ERROR, format!("{differs}\n")).into_response(),
    }
}
