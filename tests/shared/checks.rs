//! Runs the checks of a conformance guest on request: `GET /checks` lists their names, `GET /check/NAME` runs one. Like
//! `outcome.rs` it is a module of each guest, with the guest's `CHECKS` and `Scope`.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::pin::Pin;

use tempo_sdk_http::{IntoResponse, Request, Response, Router, StatusCode};

use crate::CHECKS;
use crate::scope::{Outcome, Scope};

pub(crate) type Check = fn(Scope) -> Pin<Box<dyn Future<Output = Outcome>>>;

/// Makes the table of checks: names and functions.
macro_rules! checks {
    ($($name:literal: $check:path,)+) => { &[$(($name, |scope| Box::pin($check(scope)))),+] };
}

/// Returns the routes of the checks.
pub(crate) fn routes() -> Router {
    Router::new().get("/checks", names).get("/check/{name}", check)
}

/// Returns a random number, for names that no other run uses.
pub(crate) fn random() -> u64 {
    // The keys of a hasher are the random numbers of the standard library.
    RandomState::new().build_hasher().finish()
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
