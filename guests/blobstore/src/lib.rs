//! Files over HTTP. `cargo xtask run blobstore` stores them in a directory on disk; with `cargo xtask run blobstore --
//! --blobstore nats://127.0.0.1:4222/files` the same component stores them in NATS.
//!
//! ```sh
//! curl -T film.mp4 http://127.0.0.1:8080/objects/films/1
//! curl -H 'Range: bytes=0-99' http://127.0.0.1:8080/objects/films/1
//! curl 'http://127.0.0.1:8080/objects?prefix=films/'
//! ```
//!
//! The component holds at most one chunk of a file, at any size.

use std::sync::LazyLock;

use futures::TryStreamExt;
use serde_json::json;
use tempo_sdk_blobstore::{Container, Error, ErrorKind, Object, ObjectInfo, PutOptions};
use tempo_sdk_http::http::{self, response::Builder};
use tempo_sdk_http::{Body, IntoResponse, Request, Response, Router, StatusCode, header};

static ROUTES: LazyLock<Router> = LazyLock::new(|| {
    Router::new()
        .get("/objects", list)
        .put("/objects/{*name}", put)
        .get("/objects/{*name}", get)
        .delete("/objects/{*name}", delete)
});

#[tempo_sdk_http::handler]
async fn main(request: Request) -> impl IntoResponse {
    ROUTES.handle(request).await
}

/// Stores the body. If the body is cut short, `?` drops the writer: no object is created, and an existing one is
/// unchanged. `If-None-Match: *` refuses to replace an existing object.
async fn put(request: Request) -> Result<Response, ErrorResponse> {
    let mut options = PutOptions::new();
    if let Some(kind) = field(&request, header::CONTENT_TYPE) {
        options = options.content_type(kind);
    }
    if field(&request, header::IF_NONE_MATCH) == Some("*") {
        options = options.if_absent();
    }
    let mut writer = Container::open("default").await?.writer(name(&request), options);
    let mut body = request.into_body();
    while let Some(chunk) = body.chunk().await? {
        writer.write(chunk).await?;
    }
    let info = writer.finish().await?;
    Ok(described(StatusCode::CREATED, &info).body(Body::empty())?)
}

/// Responds with the object, or with the range of it in `Range: bytes=...`. Serves `HEAD` too: the host drops the body,
/// and nothing of it is read.
async fn get(request: Request) -> Result<Response, ErrorResponse> {
    let container = Container::open("default").await?;
    let range = field(&request, header::RANGE).and_then(Range::parse);
    let (object, start) = match &range {
        None => (container.get(name(&request)).await?, 0),
        Some(range) => open_range(&container, name(&request), range).await?,
    };
    let (size, length) = (object.info.size, object.reader.remaining());
    let mut response = described(StatusCode::OK, &object.info)
        .header(header::ACCEPT_RANGES, "bytes")
        .header(header::CONTENT_TYPE, object.info.content_type.as_deref().unwrap_or("application/octet-stream"));
    if range.is_some() {
        if length == 0 {
            let none = response.status(StatusCode::RANGE_NOT_SATISFIABLE);
            return Ok(none.header(header::CONTENT_RANGE, format!("bytes */{size}")).body(Body::empty())?);
        }
        let part = format!("bytes {start}-{}/{size}", start.saturating_add(length).saturating_sub(1));
        response = response.status(StatusCode::PARTIAL_CONTENT).header(header::CONTENT_RANGE, part);
    }
    // The length lets clients of any HTTP version detect a body that is cut short.
    Ok(response.header(header::CONTENT_LENGTH, length).body(Body::from_stream(object.reader))?)
}

async fn delete(request: Request) -> Result<StatusCode, ErrorResponse> {
    Container::open("default").await?.delete(name(&request)).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// `?prefix=TEXT`: lists the objects with this prefix, one JSON object per line, as a stream.
async fn list(request: Request) -> Result<Response, ErrorResponse> {
    let container = Container::open("default").await?;
    let objects = container.list(request.query_value("prefix").unwrap_or_default());
    let lines = objects.map_ok(|object| format!("{}\n", json!({ "name": object.name, "size": object.size })));
    Ok(([("content-type", "application/x-ndjson")], Body::from_stream(lines)).into_response())
}

/// An object name may contain any character, so the text after `/objects/` is used unchanged.
fn name(request: &Request) -> &str {
    request.parameter("name").unwrap_or_default()
}

fn field(request: &Request, name: header::HeaderName) -> Option<&str> {
    request.headers().get(name)?.to_str().ok()
}

fn described(status: StatusCode, info: &ObjectInfo) -> Builder {
    http::Response::builder().status(status).header(header::ETAG, format!("\"{}\"", info.etag))
}

/// A single range of a `Range` header. Several ranges, and other units, are ignored, as HTTP allows.
enum Range {
    /// From the first byte to the second, both included.
    Part(u64, u64),
    /// The last bytes of the object.
    Last(u64),
}

impl Range {
    fn parse(value: &str) -> Option<Self> {
        let (first, last) = value.strip_prefix("bytes=")?.split_once('-')?;
        if first.is_empty() {
            return Some(Self::Last(last.parse().ok()?));
        }
        let first = first.parse().ok()?;
        let last = if last.is_empty() { u64::MAX } else { last.parse().ok()? };
        (first <= last).then_some(Self::Part(first, last))
    }
}

/// Opens the range. Returns the object with the offset of its first byte.
async fn open_range(container: &Container, name: &str, range: &Range) -> Result<(Object, u64), Error> {
    let (start, end) = match range {
        Range::Part(first, last) => (*first, *last),
        Range::Last(count) => {
            let size = container.stat(name).await?.map_or(0, |info| info.size);
            (size.saturating_sub(*count), u64::MAX)
        }
    };
    Ok((container.get_range(name, start..=end).await?, start))
}

/// An error response: a status and a text.
struct ErrorResponse(StatusCode, String);

impl From<Error> for ErrorResponse {
    fn from(error: Error) -> Self {
        let status = match error.kind() {
            ErrorKind::NoSuchObject => StatusCode::NOT_FOUND,
            ErrorKind::AlreadyExists => StatusCode::PRECONDITION_FAILED,
            ErrorKind::InvalidArgument => StatusCode::BAD_REQUEST,
            ErrorKind::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            ErrorKind::Timeout | ErrorKind::Unavailable | ErrorKind::QuotaExceeded => StatusCode::SERVICE_UNAVAILABLE,
            _ => StatusCode::INTERNAL_SERVER_ERROR,
        };
        Self(status, error.to_string())
    }
}

/// The body of the request could not be read.
impl From<tempo_sdk_http::Error> for ErrorResponse {
    fn from(error: tempo_sdk_http::Error) -> Self {
        Self(error.status(), error.to_string())
    }
}

/// The object's properties are not valid header values.
impl From<http::Error> for ErrorResponse {
    fn from(error: http::Error) -> Self {
        Self(StatusCode::INTERNAL_SERVER_ERROR, error.to_string())
    }
}

impl IntoResponse for ErrorResponse {
    fn into_response(self) -> Response {
        (self.0, format!("{}\n", self.1)).into_response()
    }
}
