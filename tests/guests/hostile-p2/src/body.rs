//! Bodies: echoed, slow, aborted.

use std::mem::forget;
use std::process::abort;

use wasip2::http::types::{
    ErrorCode, Fields, IncomingBody, IncomingRequest, OutgoingBody, OutgoingResponse, ResponseOutparam,
};
use wasip2::io::streams::StreamError;

use crate::answer::{Target, start, text, write};
use crate::wait;

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

/// Reads the request's body, and answers with an error code if it breaks off.
pub(crate) fn read(request: &IncomingRequest, outparam: ResponseOutparam) {
    println!("reading the body");
    let Ok(body) = request.consume() else { return };
    let Ok(from) = body.stream() else { return };
    loop {
        match from.blocking_read(READ) {
            Ok(_) => {}
            Err(StreamError::Closed) => return text(outparam, 200, "read\n"),
            Err(StreamError::LastOperationFailed(_)) => {
                println!("the body broke off");
                return ResponseOutparam::set(outparam, Err(ErrorCode::ConnectionTerminated));
            }
        }
    }
}

/// Streams lines with pauses of `pause` ms.
pub(crate) fn stream(outparam: ResponseOutparam, chunks: u64, pause: u64) {
    let Some(body) = start(outparam, 200) else { return };
    if let Ok(to) = body.write() {
        for chunk in 1..=chunks {
            if !write(&to, format!("chunk {chunk}\n").as_bytes()) {
                println!("the reader of /stream is gone");
                return;
            }
            wait(pause);
        }
    }
    let _ = OutgoingBody::finish(body, None);
}

/// `?status=N&length=N&write=N&end=E`: a response with that status, that `Content-Length`, and that many bytes. Without
/// `write` the guest never opens the body. `end` is the end of the body: `leak` never ends it, `drop` aborts it; by
/// default the guest finishes it.
pub(crate) fn answer(outparam: ResponseOutparam, target: &Target) {
    let fields = Fields::new();
    let length = target.text("length");
    if !length.is_empty() && fields.append("content-length", length.as_bytes()).is_err() {
        return;
    }
    let response = OutgoingResponse::new(fields);
    let status = u16::try_from(target.number("status", 200)).unwrap_or_default();
    if response.set_status_code(status).is_err() {
        return;
    }
    if target.text("write").is_empty() {
        return ResponseOutparam::set(outparam, Ok(response));
    }
    let Ok(body) = response.body() else { return };
    ResponseOutparam::set(outparam, Ok(response));
    if let Ok(to) = body.write() {
        write(&to, &vec![b'x'; usize::try_from(target.number("write", 0)).unwrap_or_default()]);
    }
    match target.text("end").as_str() {
        "leak" => forget(body),
        "drop" => drop(body),
        // The test checks the host's error for a wrong length.
        _ => drop(OutgoingBody::finish(body, None)),
    }
}

/// Returns the headers of the request, one per line.
pub(crate) fn headers(request: &IncomingRequest) -> String {
    let line = |(name, value): (String, Vec<u8>)| format!("{name}: {}\n", String::from_utf8_lossy(&value));
    request.headers().entries().into_iter().map(line).collect()
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
