//! Sends one outgoing request through the host.

use std::future::poll_fn;
use std::pin::pin;

use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use wasip3::http::client;
use wasip3::http::types::{self, ErrorCode, Request, RequestOptions, Scheme};

use crate::client::TimeLimits;
use crate::incoming::HostMessage;
use crate::outgoing::{self, Outgoing, Write};
use crate::task::nanoseconds;
use crate::{Body, Error, ErrorKind, Response, fields};

/// Sends `request`. Returns the response once its head has arrived.
pub(crate) async fn send(request: http::Request<Body>, limits: TimeLimits) -> Result<Response, Error> {
    let (mut parts, body) = request.into_parts();
    let body = outgoing::simplify(body).await;
    // The host takes the authority from the URL, and rejects a `host` header.
    parts.headers.remove(header::HOST);
    trace(&mut parts.headers);
    let headers = fields::of_request(&parts.headers, &parts.method, &body)?;
    let Outgoing { contents, end, write } = outgoing::send(body);
    let (request, _sent) = Request::new(headers, contents, end, options(limits)?);
    address(&request, &parts)?;
    let response = call(request, write).await.map_err(|code| Error::from_code("the request failed", &code))?;
    let mut head = http::Response::new(());
    *head.status_mut() = StatusCode::from_u16(response.get_status_code())
        .map_err(|error| Error::new(ErrorKind::Protocol, "the response has no valid status").with_source(error))?;
    *head.headers_mut() = fields::from_host(&response.get_headers());
    // The response to a HEAD and a 304 announce the length of a body that they do not have.
    let is_bodiless = parts.method == Method::HEAD || head.status() == StatusCode::NOT_MODIFIED;
    let length = fields::length(head.headers()).filter(|_| !is_bodiless);
    Ok(head.map(|()| Body::incoming(HostMessage::Response(response), length)))
}

/// Calls the host, and writes the body once the host reads it: then the writes need no events.
async fn call(request: Request, write: Write) -> Result<types::Response, ErrorCode> {
    let mut call = pin!(client::send(request));
    let mut write = Some(write);
    poll_fn(|cx| {
        let polled = call.as_mut().poll(cx);
        if let Some(write) = write.take() {
            write.start();
        }
        polled
    })
    .await
}

/// Adds the trace context headers, if there is a trace. Headers that the request already has are unchanged.
fn trace(headers: &mut HeaderMap) {
    for (name, value) in tempo_sdk_trace::headers(|name| headers.contains_key(name)) {
        if let Ok(value) = HeaderValue::from_maybe_shared(value) {
            headers.insert(name, value);
        }
    }
}

/// Sets the method and the target.
fn address(request: &Request, parts: &Parts) -> Result<(), Error> {
    let invalid =
        |what: &'static str| move |()| Error::new(ErrorKind::InvalidRequest, format!("the host refuses the {what}"));
    if parts.method != Method::GET {
        request.set_method(&(&parts.method).into()).map_err(invalid("method"))?;
    }
    let scheme = parts.uri.scheme().map(Scheme::from);
    request.set_scheme(scheme.as_ref()).map_err(invalid("scheme"))?;
    let authority = parts.uri.authority().map(http::uri::Authority::as_str);
    request.set_authority(authority).map_err(invalid("authority"))?;
    let target = parts.uri.path_and_query().map(http::uri::PathAndQuery::as_str);
    request.set_path_with_query(target).map_err(invalid("path"))
}

/// Returns the limits that the host enforces; `None`, which saves a host call, if none is set.
fn options(limits: TimeLimits) -> Result<Option<RequestOptions>, Error> {
    let TimeLimits { connect, first_byte, between_bytes, total: _ } = limits;
    if connect.is_none() && first_byte.is_none() && between_bytes.is_none() {
        return Ok(None);
    }
    let options = RequestOptions::new();
    options
        .set_connect_timeout(connect.map(nanoseconds))
        .and_then(|()| options.set_first_byte_timeout(first_byte.map(nanoseconds)))
        .and_then(|()| options.set_between_bytes_timeout(between_bytes.map(nanoseconds)))
        .map_err(|error| {
            Error::new(ErrorKind::InvalidRequest, format!("the host refuses the time limit: {error:?}"))
        })?;
    Ok(Some(options))
}
