//! A request to elsewhere.

use crate::answer::text;
use wasip2::http::outgoing_handler::handle;
use wasip2::http::types::{ErrorCode, Fields, IncomingResponse, OutgoingRequest, ResponseOutparam, Scheme};

const READ: u64 = 64 * 1024;

/// Answers with the status and the body of a GET, or with 502 and the error.
pub(crate) fn fetch(outparam: ResponseOutparam, url: &str) {
    let answer = request(url).and_then(send).map(|response| describe(&response));
    match answer {
        Ok(answer) => text(outparam, 200, &answer),
        Err(error) => text(outparam, 502, &format!("{error:?}\n")),
    }
}

fn request(url: &str) -> Result<OutgoingRequest, ErrorCode> {
    let invalid = |()| ErrorCode::HttpRequestUriInvalid;
    let (scheme, rest) = url.split_once("://").ok_or(ErrorCode::HttpRequestUriInvalid)?;
    let scheme = if scheme == "https" { Scheme::Https } else { Scheme::Http };
    let (authority, path) = match rest.find('/') {
        Some(slash) => rest.split_at(slash),
        None => (rest, "/"),
    };
    let request = OutgoingRequest::new(Fields::new());
    request.set_scheme(Some(&scheme)).map_err(invalid)?;
    request.set_authority(Some(authority)).map_err(invalid)?;
    request.set_path_with_query(Some(path)).map_err(invalid)?;
    Ok(request)
}

fn send(request: OutgoingRequest) -> Result<IncomingResponse, ErrorCode> {
    let response = handle(request, None)?;
    response.subscribe().block();
    match response.get() {
        Some(Ok(response)) => response,
        _ => Err(ErrorCode::InternalError(None)),
    }
}

fn describe(response: &IncomingResponse) -> String {
    let mut text = format!("{}\n", response.status());
    if let Ok(body) = response.consume()
        && let Ok(stream) = body.stream()
    {
        while let Ok(chunk) = stream.blocking_read(READ) {
            text.push_str(&String::from_utf8_lossy(&chunk));
        }
    }
    text
}
