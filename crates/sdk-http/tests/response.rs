//! Each return type of a handler becomes the documented response.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::collections::BTreeMap;
use std::io;

use futures::FutureExt;
use serde::Serialize;
use tempo_sdk_http::{Error, ErrorKind, IntoResponse, Json, Request, Response, StatusCode, http};

fn text(response: Response) -> String {
    response.into_body().text().now_or_never().unwrap().unwrap()
}

#[test]
fn tuples_put_status_and_headers_before_a_body() {
    let response = (StatusCode::ACCEPTED, [("x-a", "1"), ("content-type", "text/css")], "body").into_response();
    assert_eq!(response.status(), 202);
    assert_eq!(response.headers()["x-a"], "1");
    assert_eq!(response.headers()["content-type"], "text/css");
    assert_eq!(text(response), "body");
}

#[test]
fn a_header_that_is_none_is_a_500() {
    for header in [("bad name", "1"), ("x-a", "line\nbreak")] {
        assert_eq!((StatusCode::OK, [header], "body").into_response().status(), 500);
    }
}

#[test]
fn a_value_that_is_no_json_is_a_500() {
    // JSON objects have string keys.
    let value: BTreeMap<Vec<u8>, u8> = BTreeMap::from([(vec![1], 1)]);
    assert_eq!(Json(value).into_response().status(), 500);
}

#[test]
fn json_is_written_and_read() {
    #[derive(Serialize)]
    struct User<'a> {
        name: &'a str,
    }
    assert_eq!(text(Json(User { name: "Ada" }).into_response()), r#"{"name":"Ada"}"#);
}

#[test]
fn json_that_is_none_in_a_request_is_a_400() {
    let request = Request::from(http::Request::new("{".into()));
    let error = request.json::<u32>().now_or_never().unwrap().unwrap_err();
    assert_eq!(Err::<(), _>(error).map(|()| "").into_response().status(), 400);
}

#[test]
fn an_error_shows_nothing_internal() {
    let response = Error::new(ErrorKind::Other, "password is xyzzy").into_response();
    assert_eq!(response.status(), 500);
    assert_eq!(text(response), "Internal Server Error\n");
    assert_eq!(Error::new(ErrorKind::Denied, "no").into_response().status(), 502);
    assert_eq!(Error::new(ErrorKind::Timeout, "late").into_response().status(), 504);
}

#[test]
fn another_error_is_shown_once_with_its_causes() {
    let error = Error::other(io::Error::other("disk on fire"));
    assert_eq!(error.to_string(), "disk on fire");
    assert_eq!(error.kind(), ErrorKind::Other);
}
