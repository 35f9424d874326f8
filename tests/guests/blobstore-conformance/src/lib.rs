//! Conformance checks of a host's `tempo:blobstore@0.1.0`, run one by one on request, on the container `default` of any
//! backend. `GET /checks` lists their names, `GET /check/NAME` runs one: 200, or 500 with the difference.
//!
//! A check deletes its objects, and needs exclusive access to the container. Exactly one of `longest-odd-names` and
//! `longest-odd-names-are-refused` applies: the second where the server's keys are too short for the first.

#[macro_use]
#[path = "../../../shared/checks.rs"]
mod checks;
mod aborts;
mod at_once;
mod copies;
mod data;
mod lists;
mod names;
#[path = "../../../shared/odd_names.rs"]
mod odd_names;
#[path = "../../../shared/outcome.rs"]
mod outcome;
mod ranges;
mod raw;
mod readers;
mod scope;
mod stores;
mod writes;

use std::sync::LazyLock;

use checks::Check;
use tempo_sdk_blobstore::Container;
use tempo_sdk_http::{IntoResponse, Request, Response, Router, StatusCode};

const CHECKS: &[(&str, Check)] = checks! {
    "unknown-container": stores::unknown,
    "same-container": stores::same_container,
    "odd-names": names::odd,
    "longest-names": names::longest,
    "longest-odd-names": names::longest_odd,
    "longest-odd-names-are-refused": names::longest_odd_refused,
    "bad-names": names::bad,
    "empty": data::empty,
    "bytes": data::bytes,
    "text-and-json": data::typed,
    "large": data::large,
    "pieces": data::pieces,
    "one-large-write": data::one_write,
    "ranges": ranges::ranges,
    "ranges-of-nothing": ranges::of_nothing,
    "reader-is-left": readers::left,
    "reader-and-overwrite": readers::overwritten,
    "missing": writes::missing,
    "overwrite": writes::overwrite,
    "delete": writes::delete,
    "metadata": writes::metadata,
    "metadata-at-the-edge": writes::metadata_edges,
    "bad-metadata": writes::bad_metadata,
    "if-absent": writes::if_absent,
    "abort": aborts::dropped,
    "abort-before-the-first-write": aborts::untouched,
    "abort-of-an-overwrite": aborts::overwrite,
    "abort-in-a-write": aborts::in_a_write,
    "complete-with-an-error": raw::failed,
    "complete-before-the-data": raw::early,
    "put-is-cancelled": raw::cancelled,
    "list": lists::list,
    "list-prefix": lists::prefix,
    "list-of-many": lists::many,
    "copy": copies::copy,
    "copy-over": copies::over,
    "copy-of-nothing": copies::nothing,
    "copy-to-itself": copies::itself,
    "many-at-once": at_once::many,
    "if-absent-at-once": at_once::if_absent,
};

static ROUTES: LazyLock<Router> = LazyLock::new(|| checks::routes().post("/copy", copy));

#[tempo_sdk_http::handler]
async fn main(request: Request) -> impl IntoResponse {
    ROUTES.handle(request).await
}

/// Copies the object `from` to `to`, for a test that disconnects meanwhile.
async fn copy(_: Request) -> Response {
    let copied = async { Container::open("default").await?.copy("from", "to").await };
    match copied.await {
        Ok(_) => "copied\n".into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, format!("{error}\n")).into_response(),
    }
}
