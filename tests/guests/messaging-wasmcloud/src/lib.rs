//! Conformance checks of a host's `wasmcloud:messaging@0.3.0`, run one by one on request, on any broker. `GET /checks`
//! lists their names, `GET /check/NAME` runs one: 200, or 500 with the difference.
//!
//! The component handles the messages too: the subject's last token is the handler's action (`handle.rs`), and the
//! handler records deliveries in the keyvalue store `default`. The checks need a subscription to `check.>` with a short
//! backoff. Names with the prefix `kept-` are for persistent brokers.

#[macro_use]
#[path = "../../../shared/checks.rs"]
mod checks;
mod handle;
mod messages;
#[path = "../../../shared/outcome.rs"]
mod outcome;
mod scope;
mod send;

use std::sync::LazyLock;

use checks::Check;
use tempo_sdk_http::{IntoResponse, Request, Router};

mod bindings {
    #![allow(missing_docs, unsafe_code, unreachable_pub, clippy::all, reason = "generated code")]
    wit_bindgen::generate!({ path: "../../../wit/messaging-wasmcloud-0.3", world: "handler-service" });
    use crate::handle::Handler;
    export!(Handler);
}

const CHECKS: &[(&str, Check)] = checks! {
    "bytes": messages::bytes,
    "pieces": messages::pieces,
    "largest": messages::largest,
    "too-large": messages::too_large,
    "bad-subjects": messages::bad_subjects,
    "unread": messages::unread,
    "reply-to": messages::reply_to,
    "request": messages::request,
    "request-without-limit": messages::without_limit,
    "request-timeout": messages::timeout,
    "kept-retry": messages::retry,
    "kept-trap": messages::trap,
    "reject": messages::reject,
};

static ROUTES: LazyLock<Router> = LazyLock::new(checks::routes);

#[tempo_sdk_http::handler]
async fn main(request: Request) -> impl IntoResponse {
    ROUTES.handle(request).await
}
