//! The files of `guests/blobstore` as a component of WASI 0.2, without any Tempo crate: `wasi:blobstore@0.2.0-draft`
//! with `wit-bindgen`, HTTP with `wasip2`. wasmCloud and others run it too.
//!
//! Bodies do not pass through the component: the host splices one stream to the other. The draft has no conditional
//! writes, no media types and no listing by prefix. So this component rejects `If-None-Match`, drops media types, and
//! filters by prefix itself.

use bindings::wasi::blobstore::blobstore::get_container;
use bindings::wasi::blobstore::container::Container;
use bindings::wasi::blobstore::types::{IncomingValue, OutgoingValue};
use percent_encoding::percent_decode_str;
use wasip2::exports::http::incoming_handler::Guest;
use wasip2::http::types::{
    Fields, IncomingBody, IncomingRequest, Method, OutgoingBody, OutgoingResponse, ResponseOutparam,
};
use wasip2::io::streams::{InputStream, OutputStream, StreamError};

mod bindings {
    #![allow(missing_docs, unsafe_code, unreachable_pub, clippy::all, reason = "generated code")]
    // The streams of wasi:http, so that both sides can be spliced.
    wit_bindgen::generate!({
        path: "wit",
        world: "imports",
        with: {
            "wasi:io/error@0.2.2": wasip2::io::error,
            "wasi:io/poll@0.2.2": wasip2::io::poll,
            "wasi:io/streams@0.2.2": wasip2::io::streams,
        },
    });
}

/// The size of one splice, in bytes.
const SPLICE_BYTES: u64 = 64 * 1024;

/// The maximum size of one blocking write, in bytes.
const MAX_WRITE_BYTES: usize = 4096;

struct Files;

wasip2::http::proxy::export!(Files);

impl Guest for Files {
    fn handle(request: IncomingRequest, outparam: ResponseOutparam) {
        let answer = answer(&request).unwrap_or_else(|ErrorResponse(status, message)| Response::text(status, message));
        send(answer, outparam);
    }
}

/// A response.
struct Response {
    status: u16,
    headers: Vec<(String, String)>,
    content: Content,
}

enum Content {
    Text(String),
    Value(IncomingValue),
}

/// An error response: a status and a text.
struct ErrorResponse(u16, String);

/// The draft's errors are texts.
impl From<String> for ErrorResponse {
    fn from(error: String) -> Self {
        Self(500, error)
    }
}

impl Response {
    fn text(status: u16, text: impl Into<String>) -> Self {
        Self { status, headers: Vec::new(), content: Content::Text(text.into()) }
    }

    fn header(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }
}

fn answer(request: &IncomingRequest) -> Result<Response, ErrorResponse> {
    let target = request.path_with_query().unwrap_or_default();
    let (path, query) = target.split_once('?').unwrap_or((&target, ""));
    let container = get_container("default")?;
    let Some(name) = path.strip_prefix("/objects/").filter(|name| !name.is_empty()) else {
        return match (path, request.method()) {
            ("/objects", Method::Get) => list(&container, query),
            _ => Ok(Response::text(404, "")),
        };
    };
    let name = percent_decode_str(name).decode_utf8_lossy();
    match request.method() {
        Method::Put => put(&container, &name, request),
        // The host drops the body of a response to HEAD, and then reads nothing of the object.
        Method::Get | Method::Head => get(&container, &name, request),
        Method::Delete => {
            container.delete_object(&name)?;
            Ok(Response::text(204, ""))
        }
        _ => Ok(Response::text(405, "").header("allow", "PUT, GET, HEAD, DELETE")),
    }
}

/// Stores the body. If the body is cut short, the value is dropped unfinished, and no object is created.
fn put(container: &Container, name: &str, request: &IncomingRequest) -> Result<Response, ErrorResponse> {
    if field(request, "if-none-match").is_some() {
        return Err(ErrorResponse(501, "wasi:blobstore 0.2.0-draft has no write on a condition\n".to_owned()));
    }
    let value = OutgoingValue::new_outgoing_value();
    container.write_data(name, &value)?;
    let (Ok(body), Ok(to)) = (request.consume(), value.outgoing_value_write_body()) else {
        return Err(ErrorResponse(500, "a body is to be had once\n".to_owned()));
    };
    let from = body.stream().map_err(|()| ErrorResponse(500, "a stream is to be had once\n".to_owned()))?;
    splice(&from, &to).map_err(|error| ErrorResponse(500, format!("{error}\n")))?;
    drop((from, to));
    // The stream of a body that is cut short may end normally: only the trailers' future reports the error.
    let end = IncomingBody::finish(body);
    end.subscribe().block();
    if !matches!(end.get(), Some(Ok(Ok(_)))) {
        return Err(ErrorResponse(400, "the body broke off\n".to_owned()));
    }
    OutgoingValue::finish(value)?;
    Ok(Response::text(201, ""))
}

/// Responds with the object, or with the range of it in `Range: bytes=...`.
fn get(container: &Container, name: &str, request: &IncomingRequest) -> Result<Response, ErrorResponse> {
    if !container.has_object(name)? {
        return Ok(Response::text(404, ""));
    }
    let size = container.object_info(name)?.size;
    let range = field(request, "range").and_then(|value| range(&value, size));
    let (start, end) = range.unwrap_or((0, u64::MAX));
    if range.is_some() && start >= size {
        return Ok(Response::text(416, "").header("content-range", format!("bytes */{size}")));
    }
    let value = container.get_data(name, start, end)?;
    let length = value.size();
    let answer = Response { status: 200, headers: Vec::new(), content: Content::Value(value) };
    let answer = answer
        .header("accept-ranges", "bytes")
        .header("content-type", "application/octet-stream")
        .header("content-length", length.to_string());
    if range.is_none() {
        return Ok(answer);
    }
    let part = format!("bytes {start}-{}/{size}", start.saturating_add(length).saturating_sub(1));
    Ok(Response { status: 206, ..answer.header("content-range", part) })
}

/// Parses `bytes=a-b`, `bytes=a-` or `bytes=-count` for an object of `size` bytes to the first byte and the last.
/// Ignores other forms, as HTTP allows.
fn range(value: &str, size: u64) -> Option<(u64, u64)> {
    let (first, last) = value.strip_prefix("bytes=")?.split_once('-')?;
    if first.is_empty() {
        return Some((size.saturating_sub(last.parse().ok()?), u64::MAX));
    }
    let first = first.parse().ok()?;
    let last = if last.is_empty() { u64::MAX } else { last.parse().ok()? };
    (first <= last).then_some((first, last))
}

/// `?prefix=TEXT`: lists the names with this prefix, one JSON object per line.
fn list(container: &Container, query: &str) -> Result<Response, ErrorResponse> {
    let mut pairs = form_urlencoded::parse(query.as_bytes());
    let prefix = pairs.find(|(key, _)| key == "prefix").map(|(_, value)| value).unwrap_or_default();
    let names = container.list_objects()?;
    let mut lines = String::new();
    loop {
        let (page, ended) = names.read_stream_object_names(1000)?;
        for name in page.iter().filter(|name| name.starts_with(&*prefix)) {
            lines.push_str(&format!("{}\n", serde_json::json!({ "name": name })));
        }
        if ended {
            return Ok(Response::text(200, lines).header("content-type", "application/x-ndjson"));
        }
    }
}

/// Returns the first value of a header.
fn field(request: &IncomingRequest, name: &str) -> Option<String> {
    String::from_utf8(request.headers().get(name).into_iter().next()?).ok()
}

fn send(answer: Response, outparam: ResponseOutparam) {
    let headers = Fields::new();
    for (name, value) in &answer.headers {
        // Hosts accept each of these headers.
        let _ = headers.append(name, value.as_bytes());
    }
    let response = OutgoingResponse::new(headers);
    let _ = response.set_status_code(answer.status);
    let Ok(body) = response.body() else { return };
    ResponseOutparam::set(outparam, Ok(response));
    if body.write().is_ok_and(|to| write(answer.content, &to)) {
        // Dropping the body unfinished aborts it, so that the client does not mistake it for complete.
        let _ = OutgoingBody::finish(body, None);
    }
}

/// Writes the whole content. Returns `false` if the content is cut short or the client has disconnected.
fn write(content: Content, to: &OutputStream) -> bool {
    match content {
        Content::Text(text) => {
            text.as_bytes().chunks(MAX_WRITE_BYTES).all(|piece| to.blocking_write_and_flush(piece).is_ok())
        }
        Content::Value(value) => {
            let size = value.size();
            let from = IncomingValue::incoming_value_consume_async(value);
            from.is_ok_and(|from| splice(&from, to).is_ok_and(|moved| moved == size))
        }
    }
}

/// Splices until one side is closed, with back-pressure. Returns the number of bytes.
fn splice(from: &InputStream, to: &OutputStream) -> Result<u64, StreamError> {
    let mut moved: u64 = 0;
    loop {
        match to.blocking_splice(from, SPLICE_BYTES) {
            Ok(count) => moved = moved.saturating_add(count),
            Err(StreamError::Closed) => return Ok(moved),
            Err(error) => return Err(error),
        }
    }
}
