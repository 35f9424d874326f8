//! Conformance checks of a host's `wasmcloud:keyvalue@0.2.0`, run one by one on request, on the bucket `default` of any
//! backend. `GET /checks` lists their names, `GET /check/NAME` runs one: 200, or 500 with the difference. The other
//! routes let a test operate on the same bucket from concurrent requests.
//!
//! A check deletes its entries, and needs exclusive access to the bucket.

#[macro_use]
#[path = "../../../shared/checks.rs"]
mod checks;
mod act;
mod batch;
mod conditions;
mod keys;
mod lifetimes;
mod lists;
mod numbers;
#[path = "../../../shared/odd_names.rs"]
mod odd_names;
#[path = "../../../shared/outcome.rs"]
mod outcome;
mod scope;
mod stores;
mod swaps;
mod updates;
mod values;

use std::sync::LazyLock;

use checks::Check;
use tempo_sdk_http::{IntoResponse, Request, Router};

const CHECKS: &[(&str, Check)] = checks! {
    "unknown-store": stores::unknown,
    "same-store": stores::same_store,
    "odd-keys": keys::odd,
    "every-character": keys::every_character,
    "longest-key": keys::longest,
    "bad-keys": keys::bad,
    "bytes": values::bytes,
    "overwrite": values::overwrite,
    "delete": values::delete,
    "largest-value": values::largest,
    "too-large-value": values::too_large,
    "text-and-json": values::typed,
    "read-your-writes": values::read_your_writes,
    "if-not-exists": conditions::if_not_exists,
    "if-not-exists-at-once": conditions::at_once,
    "ttl": lifetimes::ends,
    "ttl-if-not-exists": lifetimes::lock,
    "ttl-ended-by-a-write": lifetimes::ended_by_a_write,
    "ttl-kept": lifetimes::kept,
    "ttl-at-the-edge": lifetimes::edge,
    "list": lists::list,
    "list-prefix": lists::prefix,
    "list-pages": lists::pages,
    "increment": numbers::increment,
    "increment-at-once": numbers::at_once,
    "increment-no-number": numbers::no_number,
    "increment-overflow": numbers::overflow,
    "swap-version": swaps::version,
    "swap-version-that-was": swaps::version_that_was,
    "swap-value": swaps::value,
    "swap-both": swaps::both,
    "swap-nothing": swaps::nothing,
    "swap-at-once": swaps::at_once,
    "update": updates::update,
    "update-at-once": updates::at_once,
    "batch": batch::batch,
    "batch-of-many": batch::many,
    "batch-bad": batch::bad,
};

static ROUTES: LazyLock<Router> = LazyLock::new(|| act::routes(checks::routes()));

#[tempo_sdk_http::handler]
async fn main(request: Request) -> impl IntoResponse {
    ROUTES.handle(request).await
}
