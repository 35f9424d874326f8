//! Middleware over WASI 0.2. The path selects how it handles a request: `/refuse` (responds with 403), `/read` (reads the body
//! before it passes the request on), `/keep` (keeps the request, and responds with 202), `/late` (passes the kept request on in place
//! of its own), `/forget` (drops the outparam). It passes all others on.

mod bindings {
    #![allow(missing_docs, unsafe_code, unreachable_pub, clippy::all, clippy::pedantic, reason = "generated code")]
    wit_bindgen::generate!({ path: "wit", world: "middleware", generate_all });
    use super::Middleware;
    export!(Middleware);
}

use std::sync::Mutex;

use bindings::exports::wasi::http::incoming_handler::Guest;
use bindings::wasi::http::incoming_handler;
use bindings::wasi::http::types::{Fields, IncomingRequest, OutgoingResponse, ResponseOutparam};

static KEPT: Mutex<Option<IncomingRequest>> = Mutex::new(None);

struct Middleware;

impl Guest for Middleware {
    fn handle(request: IncomingRequest, out: ResponseOutparam) {
        match request.path_with_query().as_deref() {
            Some("/refuse") => respond(out, 403),
            Some("/forget") => drop(out),
            Some("/keep") => {
                *KEPT.lock().unwrap_or_else(|error| error.into_inner()) = Some(request);
                respond(out, 202);
            }
            Some("/late") => match KEPT.lock().unwrap_or_else(|error| error.into_inner()).take() {
                Some(kept) => incoming_handler::handle(kept, out),
                None => respond(out, 404),
            },
            Some("/read") => {
                read(&request);
                incoming_handler::handle(request, out);
            }
            _ => incoming_handler::handle(request, out),
        }
    }
}

fn respond(out: ResponseOutparam, status: u16) {
    let response = OutgoingResponse::new(Fields::new());
    // Fails only for an invalid status.
    let _ = response.set_status_code(status);
    ResponseOutparam::set(out, Ok(response));
}

/// Reads the body to its end.
fn read(request: &IncomingRequest) {
    let Ok(body) = request.consume() else { return };
    if let Ok(stream) = body.stream() {
        while stream.blocking_read(64 << 10).is_ok() {}
    }
}
