//! Operations for tests with concurrent requests, or before and after a crash: one operation on the key of `?key=`, in
//! the store of `?store=` (by default `default`).

use std::borrow::Cow;

use tempo_sdk_http::{IntoResponse, Request, Response, Router, StatusCode};
use tempo_sdk_keyvalue::{Bucket, Error, SetOptions};

pub(crate) fn routes(router: Router) -> Router {
    router
        .get("/value", get)
        .put("/value", set)
        .delete("/value", delete)
        .post("/increment", increment)
        .post("/update", update)
        .get("/keys", keys)
}

/// Returns the value, or 404.
async fn get(request: Request) -> Result<Response, Failed> {
    let value = open(&request).await?.get(text(&request, "key")).await?;
    Ok(value.map_or_else(|| StatusCode::NOT_FOUND.into_response(), IntoResponse::into_response))
}

/// Writes the body; with `?new` only if there is no entry.
async fn set(request: Request) -> Result<&'static str, Failed> {
    let bucket = open(&request).await?;
    let key = text(&request, "key").into_owned();
    let new = request.query_value("new").is_some();
    let options = if new { SetOptions::new().if_absent() } else { SetOptions::new() };
    let Ok(value) = request.into_body().bytes().await else { return Err(Failed(Error::InvalidArgument)) };
    bucket.set_with(key, value, options).await?;
    Ok("written\n")
}

async fn delete(request: Request) -> Result<&'static str, Failed> {
    open(&request).await?.delete(text(&request, "key")).await?;
    Ok("deleted\n")
}

/// Increments, `?times=` times, and returns the last sum.
async fn increment(request: Request) -> Result<String, Failed> {
    let bucket = open(&request).await?;
    let mut sum = 0;
    for _ in 0..times(&request) {
        sum = bucket.increment(text(&request, "key"), 1).await?;
    }
    Ok(format!("{sum}\n"))
}

/// Increments with compare-and-swap.
async fn update(request: Request) -> Result<String, Failed> {
    let bucket = open(&request).await?;
    let mut sum = Vec::new();
    for _ in 0..times(&request) {
        let add = |old: Option<&[u8]>| -> Result<String, Error> {
            let Some(old) = old else { return Ok("1".to_owned()) };
            let number: Option<u64> = str::from_utf8(old).ok().and_then(|old| old.parse().ok());
            number.and_then(|number| number.checked_add(1)).map(|sum| sum.to_string()).ok_or(Error::InvalidArgument)
        };
        sum = bucket.try_update(text(&request, "key"), add).await?;
    }
    Ok(format!("{}\n", String::from_utf8_lossy(&sum)))
}

/// Lists the keys that begin with `?prefix=`, one per line.
async fn keys(request: Request) -> Result<String, Failed> {
    let bucket = open(&request).await?;
    let mut keys = bucket.keys(text(&request, "prefix"));
    let mut lines = String::new();
    while let Some(key) = keys.try_next().await? {
        lines.push_str(&key);
        lines.push('\n');
    }
    Ok(lines)
}

async fn open(request: &Request) -> Result<Bucket, Error> {
    Bucket::open(request.query_value("store").unwrap_or(Cow::Borrowed("default"))).await
}

fn text<'a>(request: &'a Request, name: &str) -> Cow<'a, str> {
    request.query_value(name).unwrap_or_default()
}

fn times(request: &Request) -> u32 {
    text(request, "times").parse().unwrap_or(1)
}

/// A 500 with the name of the error.
struct Failed(Error);

impl From<Error> for Failed {
    fn from(error: Error) -> Self {
        Self(error)
    }
}

impl IntoResponse for Failed {
    fn into_response(self) -> Response {
        (StatusCode::INTERNAL_SERVER_ERROR, format!("{:?}\n", self.0)).into_response()
    }
}
