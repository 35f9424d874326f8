//! The counters and sessions of `guests/keyvalue` as a component of WASI 0.2, without any Tempo crate:
//! `wasi:keyvalue@0.2.0-draft2` with `wit-bindgen`, HTTP with `wstd`. Spin and others run it too.
//!
//! The draft has no TTLs and no conditional `set`, so this component rejects `?ttl=`, and `?new` is a compare-and-swap
//! on an absent entry.

use bindings::wasi::keyvalue::atomics::{Cas, CasError, swap};
use bindings::wasi::keyvalue::store::{self, Bucket, open};
use wstd::http::{Body, Error, Method, Request, Response, StatusCode};

mod bindings {
    #![allow(missing_docs, unsafe_code, unreachable_pub, clippy::all, reason = "generated code")]
    wit_bindgen::generate!({ path: "wit", world: "imports" });
}

#[wstd::http_server]
async fn main(mut request: Request<Body>) -> Result<Response<Body>, Error> {
    let value = request.body_mut().contents().await?.to_vec();
    let (status, body) = match answer(&request, &value) {
        Ok((status, body)) => (status, body),
        Err(ErrorResponse(status, message)) => (status, format!("{message}\n").into_bytes()),
    };
    Ok(Response::builder().status(status).body(body.into())?)
}

type HandlerResult = Result<(StatusCode, Vec<u8>), ErrorResponse>;

fn answer(request: &Request<Body>, value: &[u8]) -> HandlerResult {
    let (path, query) = (request.uri().path(), request.uri().query().unwrap_or_default());
    let bucket = open("default")?;
    // The key of a counter or a session is its path: `counters/NAME`, `sessions/ID`.
    let key = decode(path.trim_start_matches('/'));
    match (request.method(), path.split('/').nth(1)) {
        (&Method::POST, Some("counters")) => count(&bucket, &key),
        (&Method::GET, Some("counters")) => {
            Ok(ok(bucket.get(&key)?.map_or_else(|| "0\n".to_owned(), |value| line(&value))))
        }
        (&Method::PUT, Some("sessions")) => put_session(&bucket, &key, value, query),
        (&Method::GET, Some("sessions")) => match bucket.get(&key)? {
            Some(value) => Ok(ok(value)),
            None => Ok((StatusCode::NOT_FOUND, Vec::new())),
        },
        (&Method::DELETE, Some("sessions")) => {
            bucket.delete(&key)?;
            Ok((StatusCode::NO_CONTENT, Vec::new()))
        }
        (&Method::GET, Some("keys")) => keys(&bucket, &parameter(query, "prefix").unwrap_or_default()),
        _ => Ok((StatusCode::NOT_FOUND, Vec::new())),
    }
}

/// Increments a counter with compare-and-swap and responds with the sum. If another request was faster, the host
/// returns a new handle with the current value.
fn count(bucket: &Bucket, key: &str) -> HandlerResult {
    let mut cas = Cas::new(bucket, key)?;
    loop {
        let old = cas.current()?.map_or(Some(0), |old| str::from_utf8(&old).ok()?.parse::<u64>().ok());
        let new = old.and_then(|old| old.checked_add(1)).map(|new| new.to_string());
        let new = new.ok_or(ErrorResponse(StatusCode::CONFLICT, "what is there is no counter".to_owned()))?;
        match swap(cas, new.as_bytes()) {
            Ok(()) => return Ok(ok(line(new.as_bytes()))),
            Err(CasError::CasFailed(now)) => cas = now,
            Err(CasError::StoreError(error)) => return Err(error.into()),
        }
    }
}

fn put_session(bucket: &Bucket, key: &str, value: &[u8], query: &str) -> HandlerResult {
    if parameter(query, "ttl").is_some() {
        return Err(ErrorResponse(StatusCode::BAD_REQUEST, "wasi:keyvalue 0.2.0-draft2 has no ttl".to_owned()));
    }
    if parameter(query, "new").is_none() {
        bucket.set(key, value)?;
        return Ok((StatusCode::NO_CONTENT, Vec::new()));
    }
    let cas = Cas::new(bucket, key)?;
    let written = match cas.current()? {
        Some(_) => false,
        None => match swap(cas, value) {
            Ok(()) => true,
            Err(CasError::CasFailed(_)) => false,
            Err(CasError::StoreError(error)) => return Err(error.into()),
        },
    };
    if !written {
        return Err(ErrorResponse(StatusCode::CONFLICT, "there is an entry under this key already".to_owned()));
    }
    Ok((StatusCode::NO_CONTENT, Vec::new()))
}

/// Lists all keys page by page: the draft has no listing by prefix.
fn keys(bucket: &Bucket, prefix: &str) -> HandlerResult {
    let mut lines = String::new();
    let mut cursor = None;
    loop {
        let page = bucket.list_keys(cursor.as_deref())?;
        let keys = page.keys.iter().filter(|key| key.starts_with(prefix));
        lines.extend(keys.map(|key| line(key.as_bytes())));
        cursor = page.cursor;
        if cursor.is_none() {
            return Ok(ok(lines));
        }
    }
}

fn ok(body: impl Into<Vec<u8>>) -> (StatusCode, Vec<u8>) {
    (StatusCode::OK, body.into())
}

fn line(value: &[u8]) -> String {
    format!("{}\n", String::from_utf8_lossy(value))
}

/// Returns the decoded value of `name` in the query; empty if it has no value.
fn parameter(query: &str, name: &str) -> Option<String> {
    let pairs = query.split('&').map(|pair| pair.split_once('=').unwrap_or((pair, "")));
    pairs.into_iter().find(|(key, _)| *key == name).map(|(_, value)| decode(&value.replace('+', " ")))
}

/// Percent-decodes `text`.
fn decode(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let code = after.get(..2).filter(|_| *first == b'%').and_then(|code| str::from_utf8(code).ok());
        let code = code.and_then(|code| u8::from_str_radix(code, 16).ok());
        bytes.push(code.unwrap_or(*first));
        rest = if code.is_some() { after.get(2..).unwrap_or_default() } else { after };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// An error response: a status and a text.
struct ErrorResponse(StatusCode, String);

impl From<store::Error> for ErrorResponse {
    fn from(error: store::Error) -> Self {
        Self(StatusCode::INTERNAL_SERVER_ERROR, error.to_string())
    }
}
