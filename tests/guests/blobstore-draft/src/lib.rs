//! Conformance checks of a host's `wasi:blobstore@0.2.0-draft`, run one by one on request: every function, on the
//! container `default` of any backend. `GET /checks` lists their names, `GET /check/NAME` runs one: 200, or 500 with
//! the difference. `/own` creates containers, at most three with `own` among them. `/copy` and `/move` act on the object `from`, for tests that disconnect meanwhile.
//!
//! The checks delete all objects of the container.

mod api;
mod containers;
mod incoming;
mod moves;
mod names;
mod objects;
#[path = "../../../shared/outcome.rs"]
mod outcome;
mod outgoing;
mod scope;

use scope::Outcome;
use wstd::http::{Body, Error, Request, Response, StatusCode};

type Check = fn() -> Outcome;

const CHECKS: &[(&str, Check)] = &[
    ("containers", containers::containers),
    ("delete-container", containers::delete),
    ("write-and-read", objects::write_and_read),
    ("object-info", objects::info),
    ("delete-objects", objects::delete),
    ("clear", objects::clear),
    ("bad-names", objects::bad_names),
    ("overwrite", outgoing::overwrite),
    ("large", outgoing::large),
    ("named-late", outgoing::named_late),
    ("not-finished", outgoing::not_finished),
    ("not-named", outgoing::not_named),
    ("body-twice", outgoing::body_twice),
    ("ranges", incoming::ranges),
    ("ranges-at-the-edge", incoming::edges),
    ("consume", incoming::consume),
    ("list", names::list),
    ("list-of-many", names::many),
    ("copy", moves::copy),
    ("move", moves::rename),
    ("nothing-to-move", moves::nothing),
];

#[wstd::http_server]
async fn main(request: Request<Body>) -> Result<Response<Body>, Error> {
    let path = request.uri().path();
    let (status, text) = if path == "/checks" {
        (StatusCode::OK, CHECKS.iter().map(|(name, _)| format!("{name}\n")).collect())
    } else if path == "/own" {
        match containers::own() {
            Ok(()) => (StatusCode::OK, "ok\n".to_owned()),
            Err(differs) => (StatusCode::INTERNAL_SERVER_ERROR, format!("{differs}\n")),
        }
    } else if path == "/copy" || path == "/move" {
        (StatusCode::OK, format!("{:?}\n", moves::act(path == "/move")))
    } else {
        match CHECKS.iter().find(|(name, _)| path.strip_prefix("/check/") == Some(name)) {
            Some((_, check)) => match check() {
                Ok(()) => (StatusCode::OK, "ok\n".to_owned()),
                Err(differs) => (StatusCode::INTERNAL_SERVER_ERROR, format!("{differs}\n")),
            },
            None => (StatusCode::NOT_FOUND, "no such path\n".to_owned()),
        }
    };
    Ok(Response::builder().status(status).body(text.into())?)
}
