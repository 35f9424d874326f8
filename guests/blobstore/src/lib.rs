//! Files over HTTP. `cargo xtask run blobstore` keeps them in a directory on disk; with
//! `cargo xtask run blobstore -- --blobstore nats://127.0.0.1:4222/files` the same component keeps them in NATS.
//!
//! ```sh
//! curl -T film.mp4 http://127.0.0.1:8080/objects/films/1
//! curl -H 'Range: bytes=0-99' http://127.0.0.1:8080/objects/films/1
//! curl 'http://127.0.0.1:8080/objects?prefix=films/'
//! ```
//!
//! Whatever the size, no more than a chunk of a file is ever in the component.

use std::sync::LazyLock;

use futures::TryStreamExt;
use serde_json::json;
use tempo_sdk_http::http::{self, response::Builder};
use tempo_sdk_blobstore::{Container, Error, ErrorKind, Object, ObjectInfo, PutOptions};
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

/// Stores the body. If it breaks off, `?` drops the writer, and there is no object; what was there before stays.
/// `If-None-Match: *` refuses to write over an object that is there.
async fn put(request: Request) -> Result<Response, Failure> {
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

/// Answers with the object, or with the part of it that `Range: bytes=...` asks for. `HEAD` comes here too: the host leaves
/// the body out, and then nothing of it is read.
async fn get(request: Request) -> Result<Response, Failure> {
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
    // With the length the client notices a body that breaks off, over any version of HTTP.
    Ok(response.header(header::CONTENT_LENGTH, length).body(Body::from_stream(object.reader))?)
}

async fn delete(request: Request) -> Result<StatusCode, Failure> {
    Container::open("default").await?.delete(name(&request)).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// `?prefix=TEXT`: the objects whose names begin so, one JSON object a line, written as they are found.
async fn list(request: Request) -> Result<Response, Failure> {
    let container = Container::open("default").await?;
    let objects = container.list(request.query_value("prefix").unwrap_or_default());
    let lines = objects.map_ok(|object| format!("{}\n", json!({ "name": object.name, "size": object.size })));
    Ok(([("content-type", "application/x-ndjson")], Body::from_stream(lines)).into_response())
}

/// Any character may be in a name, so what follows `/objects/` goes in as it is.
fn name(request: &Request) -> &str {
    request.parameter("name").unwrap_or_default()
}

fn field(request: &Request, name: header::HeaderName) -> Option<&str> {
    request.headers().get(name)?.to_str().ok()
}

fn described(status: StatusCode, info: &ObjectInfo) -> Builder {
    http::Response::builder().status(status).header(header::ETAG, format!("\"{}\"", info.etag))
}

/// What `Range` asks for. Several ranges at once, and what is none, are not understood, which HTTP allows.
enum Range {
    /// From the first of these bytes to the second, both included.
    Part(u64, u64),
    /// That many bytes at the end.
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

/// Opens the part, and tells at which byte it begins.
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

/// What a client is told when something fails.
struct Failure(StatusCode, String);

impl From<Error> for Failure {
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
impl From<tempo_sdk_http::Error> for Failure {
    fn from(error: tempo_sdk_http::Error) -> Self {
        Self(error.status(), error.to_string())
    }
}

/// What is known about the object makes no valid header.
impl From<http::Error> for Failure {
    fn from(error: http::Error) -> Self {
        Self(StatusCode::INTERNAL_SERVER_ERROR, error.to_string())
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        (self.0, format!("{}\n", self.1)).into_response()
    }
}
