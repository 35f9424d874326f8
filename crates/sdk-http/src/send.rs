//! Sends one outgoing request through the host.

use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use wasip3::http::client;
use wasip3::http::types::{Request, RequestOptions, Scheme};

use crate::client::TimeLimits;
use crate::incoming::HostMessage;
use crate::task::nanoseconds;
use crate::{Body, Error, ErrorKind, Response, fields, outgoing};

/// Sends `request`. Returns the response once its head has arrived.
pub(crate) async fn send(request: http::Request<Body>, limits: TimeLimits) -> Result<Response, Error> {
    let (mut parts, body) = request.into_parts();
    let body = outgoing::simplify(body).await;
    // The host takes the authority from the URL, and rejects a `host` header.
    parts.headers.remove(header::HOST);
    trace(&mut parts.headers);
    let headers = fields::of_request(&parts.headers, &parts.method, &body)?;
    let (contents, end) = outgoing::send(body);
    let (request, _sent) = Request::new(headers, contents, end, options(limits)?);
    address(&request, &parts)?;
    let response = client::send(request).await.map_err(|code| Error::from_code("the request failed", &code))?;
    let mut head = http::Response::new(());
    *head.status_mut() = StatusCode::from_u16(response.get_status_code())
        .map_err(|error| Error::new(ErrorKind::Protocol, "the response has no valid status").with_source(error))?;
    *head.headers_mut() = fields::from_host(&response.get_headers());
    Ok(head.map(|()| Body::incoming(HostMessage::Response(response))))
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
