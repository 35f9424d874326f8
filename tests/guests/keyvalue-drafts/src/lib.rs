//! Conformance checks of a host's `wasi:keyvalue@0.2.0-draft` and `@0.2.0-draft2`, run one by one on request, on the
//! bucket `default` of any backend. `GET /checks` lists their names, `GET /check/NAME` runs one: 200, or 500 with the
//! difference.
//!
//! One component imports both drafts, and the checks are written once: `api.rs` has their common interface.

mod api;
mod batch;
mod draft;
mod draft2;
mod keys;
mod lists;
mod numbers;
#[path = "../../../shared/outcome.rs"]
mod outcome;
mod scope;
mod swaps;
mod values;

use api::Api;
use scope::{Outcome, Scope};
use wstd::http::{Body, Error, Request, Response, StatusCode};

type Check = fn(&Scope) -> Outcome;
type Checks = &'static [(&'static str, Check)];

/// For both drafts.
const CHECKS: Checks = &[
    ("names-of-stores", keys::names),
    ("odd-keys", keys::odd),
    ("longest-key", keys::longest),
    ("bad-keys", keys::bad),
    ("bytes", values::bytes),
    ("overwrite-and-delete", values::overwrite_and_delete),
    ("largest-value", values::largest),
    ("too-large-value", values::too_large),
    ("list", lists::list),
    ("list-pages", lists::pages),
    ("increment", numbers::increment),
    ("increment-no-number", numbers::no_number),
    ("increment-overflow", numbers::overflow),
    ("batch", batch::batch),
    ("batch-bad", batch::bad),
];

/// For the second draft only.
const SWAPS: Checks = &[
    ("increment-down", numbers::down),
    ("swap", swaps::swap),
    ("swap-of-nothing", swaps::nothing),
    ("swap-again", swaps::again),
    ("swap-after-delete", swaps::after_delete),
    ("swap-bad", swaps::bad),
];

const DRAFTS: [(&str, &dyn Api, &[Checks]); 2] =
    [("draft", &draft::Draft, &[CHECKS]), ("draft2", &draft2::Draft2, &[CHECKS, SWAPS])];

/// Returns every check with its draft, by the name `DRAFT/CHECK`.
fn checks() -> impl Iterator<Item = (String, &'static dyn Api, Check)> {
    DRAFTS.into_iter().flat_map(|(draft, api, lists)| {
        let checks = lists.iter().flat_map(|list| list.iter());
        checks.map(move |(name, check)| (format!("{draft}/{name}"), api, *check))
    })
}

#[wstd::http_server]
async fn main(request: Request<Body>) -> Result<Response<Body>, Error> {
    let path = request.uri().path();
    let (status, text) = if path == "/checks" {
        (StatusCode::OK, checks().map(|(name, ..)| format!("{name}\n")).collect())
    } else {
        match checks().find(|(name, ..)| path.strip_prefix("/check/") == Some(name)) {
            Some((name, api, check)) => match Scope::new(api, &name).and_then(|scope| check(&scope)) {
                Ok(()) => (StatusCode::OK, "ok\n".to_owned()),
                Err(differs) => (StatusCode::INTERNAL_SERVER_ERROR, format!("{differs}\n")),
            },
            None => (StatusCode::NOT_FOUND, "no such path\n".to_owned()),
        }
    };
    Ok(Response::builder().status(status).body(text.into())?)
}
