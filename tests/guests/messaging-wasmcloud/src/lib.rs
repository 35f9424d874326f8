//! Conformance checks of a host's `wasmcloud:messaging@0.3.0`, run one by one on request, on any broker. `GET /checks`
//! lists their names, `GET /check/NAME` runs one: 200, or 500 with the difference.
//!
//! The component handles the messages too: the subject's last token is the handler's action (`handle.rs`), and the
//! handler records deliveries in the keyvalue store `default`. The checks need a subscription to `check.>` with a short
//! backoff. Names with the prefix `kept-` are for persistent brokers.

mod checks;
mod handle;
#[path = "../../../shared/outcome.rs"]
mod outcome;
mod scope;
mod send;

use std::pin::Pin;

use scope::{Outcome, Scope};
use tempo_sdk_http::{IntoResponse, Request, Response, StatusCode};

mod bindings {
    #![allow(missing_docs, unsafe_code, unreachable_pub, clippy::all, reason = "generated code")]
    wit_bindgen::generate!({ path: "../../../wit/messaging-wasmcloud-0.3", world: "handler-service" });
    use crate::handle::Handler;
    export!(Handler);
}

type Check = fn(Scope) -> Pin<Box<dyn Future<Output = Outcome>>>;

macro_rules! checks {
    ($($name:literal: $check:path,)+) => { &[$(($name, |scope| Box::pin($check(scope)))),+] };
}

const CHECKS: &[(&str, Check)] = checks! {
    "bytes": checks::bytes,
    "pieces": checks::pieces,
    "largest": checks::largest,
    "too-large": checks::too_large,
    "bad-subjects": checks::bad_subjects,
    "unread": checks::unread,
    "reply-to": checks::reply_to,
    "request": checks::request,
    "request-without-limit": checks::without_limit,
    "request-timeout": checks::timeout,
    "kept-retry": checks::retry,
    "kept-trap": checks::trap,
    "reject": checks::reject,
};

#[tempo_sdk_http::handler]
async fn main(request: Request) -> Response {
    let path = request.path().to_owned();
    if path == "/checks" {
        return CHECKS.iter().map(|(name, _)| format!("{name}\n")).collect::<String>().into_response();
    }
    let Some((name, check)) = CHECKS.iter().find(|(name, _)| path.strip_prefix("/check/") == Some(name)) else {
        return (StatusCode::NOT_FOUND, "no such path\n").into_response();
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
