//! Makes the host hold resources: header fields, methods of requests.

use std::mem::forget;

use tempo_sdk_http::{IntoResponse, Request, Router};
use wasip3::http::types::{self, Fields, HeaderError, Method};
use wasip3::wit_future;

use crate::number;

pub(crate) fn routes(router: Router) -> Router {
    router.get("/hold-fields", fields).get("/hold-clones", clones).get("/hold-methods", methods)
}

/// `?handles=N&bytes=M`: creates up to N fields with a value of M bytes each, returns the number before one was
/// refused, and drops them.
async fn fields(request: Request) -> impl IntoResponse {
    let (handles, bytes) = (number(&request, "handles", 1), amount(&request));
    let mut held = Vec::new();
    let mut refused = None;
    while (held.len() as u64) < handles && refused.is_none() {
        match Fields::from_list(&[("x".to_owned(), vec![b'v'; bytes])]) {
            Ok(fields) => held.push(fields),
            Err(error) => refused = Some(error),
        }
    }
    answer(held.len(), refused)
}

/// As [`fields`], with clones of one that are then changed.
async fn clones(request: Request) -> impl IntoResponse {
    let (handles, bytes) = (number(&request, "handles", 1), amount(&request));
    let first = match Fields::from_list(&[("x".to_owned(), vec![b'v'; bytes])]) {
        Ok(first) => first,
        Err(error) => return answer(0, Some(error)),
    };
    let clones: Vec<Fields> = (0..handles).map(|_| first.clone()).collect();
    let changed = clones.iter().map(|clone| clone.append("y", b"1"));
    let changed: Result<Vec<()>, HeaderError> = changed.collect();
    answer(clones.len(), changed.err())
}

/// As [`fields`], with requests whose method has M bytes. They are dropped with the instance.
async fn methods(request: Request) -> impl IntoResponse {
    let (handles, bytes) = (number(&request, "handles", 1), amount(&request));
    let mut held = Vec::new();
    let mut refused = None;
    while (held.len() as u64) < handles && refused.is_none() {
        let (writer, trailers) = wit_future::new(|| Ok(None));
        let (made, sent) = types::Request::new(Fields::new(), None, trailers, None);
        forget((writer, sent));
        match made.set_method(&Method::Other("M".repeat(bytes))) {
            Ok(()) => held.push(made),
            Err(()) => refused = Some(()),
        }
    }
    answer(held.len(), refused)
}

fn amount(request: &Request) -> usize {
    usize::try_from(number(request, "bytes", 1)).unwrap_or(usize::MAX)
}

fn answer(held: usize, refused: Option<impl std::fmt::Debug>) -> String {
    match refused {
        Some(error) => format!("{held} held, then {error:?}\n"),
        None => format!("{held} held\n"),
    }
}
