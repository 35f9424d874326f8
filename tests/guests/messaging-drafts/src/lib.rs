//! Conformance checks of a host's `wasi:messaging@0.2.0-draft` and `wasmcloud:messaging@0.2.0`, run one by one on
//! request, on any broker. `GET /checks` lists their names, `GET /check/NAME` runs one: 200, or 500 with the
//! difference.
//!
//! The component handles the messages too, with the draft's handler: the topic's last token is the handler's action
//! (`handle.rs`), and the handler records deliveries in the keyvalue store `default`. The checks need a subscription to
//! `check.>` with a short backoff. Names with `kept-` are for persistent brokers.

mod handle;
mod message;
#[path = "../../../shared/outcome.rs"]
mod outcome;
mod requests;
mod scope;
mod seen;
mod send;
mod wasmcloud;

use scope::{Outcome, Scope};
use wstd::http::{Body, Error, Request, Response, StatusCode};

mod bindings {
    #![allow(missing_docs, unsafe_code, unreachable_pub, clippy::all, reason = "generated code")]
    wit_bindgen::generate!({ path: "../../../wit/messaging-draft", world: "messaging-request-reply" });
    use crate::handle::Handler;
    export!(Handler);
}

type Check = fn(&Scope) -> Outcome;

const CHECKS: &[(&str, Check)] = &[
    ("wasi/message", message::parts),
    ("wasi/metadata", message::metadata),
    ("wasi/clients", send::clients),
    ("wasi/bytes", send::bytes),
    ("wasi/largest", send::largest),
    ("wasi/too-large", send::too_large),
    ("wasi/parts", send::parts),
    ("wasi/bad-topics", send::bad_topics),
    ("wasi/kept-error", send::error),
    ("wasi/kept-trap", send::trap),
    ("wasi/request", requests::answered),
    ("wasi/request-several", requests::several),
    ("wasi/request-timeout", requests::timeout),
    ("wasi/request-too-many", requests::too_many),
    ("wasmcloud/publish", wasmcloud::publish),
    ("wasmcloud/reply-to", wasmcloud::reply_to),
    ("wasmcloud/request", wasmcloud::request),
    ("wasmcloud/timeout", wasmcloud::timeout),
    ("wasmcloud/bad", wasmcloud::bad),
];

#[wstd::http_server]
async fn main(request: Request<Body>) -> Result<Response<Body>, Error> {
    let path = request.uri().path();
    let (status, text) = if path == "/checks" {
        (StatusCode::OK, CHECKS.iter().map(|(name, _)| format!("{name}\n")).collect())
    } else {
        match CHECKS.iter().find(|(name, _)| path.strip_prefix("/check/") == Some(name)) {
            Some((name, check)) => match Scope::new(name).and_then(|scope| check(&scope)) {
                Ok(()) => (StatusCode::OK, "ok\n".to_owned()),
                Err(differs) => (StatusCode::INTERNAL_SERVER_ERROR, format!("{differs}\n")),
            },
            None => (StatusCode::NOT_FOUND, "no such path\n".to_owned()),
        }
    };
    Ok(Response::builder().status(status).body(text.into())?)
}
