//! Conformance checks of a host's `tempo:messaging@0.1.0`, run one by one on request, on any broker. `GET /checks`
//! lists their names, `GET /check/NAME` runs one: 200, or 500 with the difference. The other routes let a test use the
//! same topics.
//!
//! The component handles the messages too: the message contains the handler's action (`handle.rs`), and the handler
//! records deliveries in the keyvalue store `default` (`seen.rs`), where the checks read them. They need a subscription
//! to `check.>` with a short backoff and three deliveries. Names with the prefix `kept-` are for persistent brokers,
//! names with `core-` for brokers without persistence; the others are for both.

#[macro_use]
#[path = "../../../shared/checks.rs"]
mod checks;
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

use std::sync::LazyLock;

use checks::Check;
use tempo_sdk_http::{IntoResponse, Request, Router};

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

static ROUTES: LazyLock<Router> = LazyLock::new(|| act::routes(checks::routes()));

#[tempo_sdk_http::handler]
async fn main(request: Request) -> impl IntoResponse {
    ROUTES.handle(request).await
}
