//! Outgoing requests.

use wasip2::http::outgoing_handler::handle;
use wasip2::http::types::{
    ErrorCode, Fields, IncomingResponse, Method, OutgoingBody, OutgoingRequest, ResponseOutparam, Scheme,
};

use crate::answer::{Target, text, write};

const READ: u64 = 64 * 1024;

/// Responds with the status and the body of a GET, or with 502 and the error.
pub(crate) fn fetch(outparam: ResponseOutparam, url: &str) {
    let answer = request(url).and_then(send).map(|response| describe(&response));
    match answer {
        Ok(answer) => text(outparam, 200, &answer),
        Err(error) => text(outparam, 502, &format!("{error:?}\n")),
    }
}

/// `?authority=A[&path=P][&method=M][&length=N][&write=N]`: sends a request and responds with the status, the headers
/// and the body of its response, or with 502 and the error. Without `path` the request has no path, without `write` no
/// body.
pub(crate) fn ask(outparam: ResponseOutparam, target: &Target) {
    match put_together(target) {
        Ok(response) => {
            let line = |(name, value): (String, Vec<u8>)| format!("{name}: {}\n", String::from_utf8_lossy(&value));
            let headers: String = response.headers().entries().into_iter().map(line).collect();
            let described = describe(&response);
            let (status, body) = described.split_once('\n').unwrap_or_default();
            text(outparam, 200, &format!("{status}\n{headers}{body}"));
        }
        Err(error) => text(outparam, 502, &format!("{error:?}\n")),
    }
}

fn put_together(target: &Target) -> Result<IncomingResponse, ErrorCode> {
    let invalid = |()| ErrorCode::HttpRequestUriInvalid;
    let fields = Fields::new();
    let length = target.text("length");
    if !length.is_empty() {
        fields.append("content-length", length.as_bytes()).map_err(|_| ErrorCode::HttpRequestBodySize(None))?;
    }
    let request = OutgoingRequest::new(fields);
    request.set_method(&method(&target.text("method"))).map_err(invalid)?;
    request.set_scheme(Some(&Scheme::Http)).map_err(invalid)?;
    request.set_authority(Some(&target.text("authority"))).map_err(invalid)?;
    let path = target.text("path");
    request.set_path_with_query((!path.is_empty()).then_some(path.as_str())).map_err(invalid)?;
    let size = target.text("write").parse().ok();
    let body = size.and_then(|size: usize| request.body().ok().zip(Some(size)));
    let response = handle(request, None)?;
    if let Some((body, size)) = body {
        if let Ok(to) = body.write() {
            write(&to, &vec![b'x'; size]);
        }
        OutgoingBody::finish(body, None)?;
    }
    response.subscribe().block();
    match response.get() {
        Some(Ok(response)) => response,
        _ => Err(ErrorCode::InternalError(None)),
    }
}

fn method(name: &str) -> Method {
    match name {
        "" | "GET" => Method::Get,
        "HEAD" => Method::Head,
        "POST" => Method::Post,
        "PUT" => Method::Put,
        "DELETE" => Method::Delete,
        "OPTIONS" => Method::Options,
        "PATCH" => Method::Patch,
        other => Method::Other(other.to_owned()),
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
