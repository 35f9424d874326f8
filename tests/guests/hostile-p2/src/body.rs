//! Bodies: echoed, slow, broken off.

use crate::answer::{start, write};
use crate::wait;
use std::process::abort;
use wasip2::http::types::{IncomingBody, IncomingRequest, OutgoingBody, ResponseOutparam};

const READ: u64 = 64 * 1024;

/// Streams the request's body back, with its trailers.
pub(crate) fn echo(request: &IncomingRequest, outparam: ResponseOutparam) {
    let Some(answer) = start(outparam, 200) else { return };
    let Ok(body) = request.consume() else { return };
    if let (Ok(from), Ok(to)) = (body.stream(), answer.write()) {
        while let Ok(chunk) = from.blocking_read(READ) {
            if !write(&to, &chunk) {
                return;
            }
        }
    }
    let end = IncomingBody::finish(body);
    end.subscribe().block();
    let trailers = match end.get() {
        Some(Ok(Ok(trailers))) => trailers.map(|trailers| trailers.clone()),
        _ => None,
    };
    let _ = OutgoingBody::finish(answer, trailers);
}

/// Lines with pauses of 50 ms between them.
pub(crate) fn stream(outparam: ResponseOutparam, chunks: u64) {
    let Some(body) = start(outparam, 200) else { return };
    if let Ok(to) = body.write() {
        for chunk in 1..=chunks {
            if !write(&to, format!("chunk {chunk}\n").as_bytes()) {
                println!("the reader of /stream is gone");
                return;
            }
            wait(50);
        }
    }
    let _ = OutgoingBody::finish(body, None);
}

/// Sends the head and a part of the body, then traps.
pub(crate) fn trap_after_head(outparam: ResponseOutparam) {
    if let Some(body) = start(outparam, 200)
        && let Ok(to) = body.write()
    {
        write(&to, b"the first half\n");
    }
    abort();
}
