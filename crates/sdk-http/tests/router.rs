//! The router selects handlers as documented.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use futures::FutureExt;
use tempo_sdk_http::http::Request as HttpRequest;
use tempo_sdk_http::{Body, Method, Request, Response, Router, StatusCode};

fn ask(router: &Router, method: Method, target: &str) -> Response {
    let request = HttpRequest::builder().method(method).uri(target).body(Body::empty()).unwrap();
    router.handle(Request::from(request)).now_or_never().unwrap()
}

fn text(response: Response) -> String {
    response.into_body().text().now_or_never().unwrap().unwrap()
}

fn router() -> Router {
    Router::new()
        .get("/", async |_: Request| "home")
        .get("/users/me", async |_: Request| "me")
        .get("/users/{id}", async |request: Request| request.parameter("id").unwrap().to_owned())
        .delete("/users/{id}", async |_: Request| StatusCode::NO_CONTENT)
        .get("/files/{*path}", async |request: Request| request.parameter("path").unwrap().to_owned())
}

#[test]
fn a_fixed_part_wins_over_a_parameter() {
    assert_eq!(text(ask(&router(), Method::GET, "/users/me")), "me");
    assert_eq!(text(ask(&router(), Method::GET, "/users/7?x=1")), "7");
}

#[test]
fn parameters_are_decoded_after_the_path_is_split() {
    assert_eq!(text(ask(&router(), Method::GET, "/users/a%2Fb%20c")), "a/b c");
    assert_eq!(text(ask(&router(), Method::GET, "/files/a/b%20c.txt")), "a/b c.txt");
    assert_eq!(text(ask(&router(), Method::GET, "/users/%ff")), "\u{fffd}");
}

#[test]
fn head_is_answered_by_get() {
    assert_eq!(ask(&router(), Method::HEAD, "/").status(), 200);
}

#[test]
fn a_wrong_method_is_405_and_names_the_right_ones() {
    let response = ask(&router(), Method::POST, "/users/7");
    assert_eq!(response.status(), 405);
    assert_eq!(response.headers()["allow"], "GET, DELETE, HEAD");
}

#[test]
fn an_unknown_path_is_404_or_the_fallback() {
    assert_eq!(ask(&router(), Method::GET, "/nowhere").status(), 404);
    let router = router().fallback(async |_: Request| (StatusCode::IM_A_TEAPOT, "else"));
    assert_eq!(ask(&router, Method::GET, "/nowhere").status(), 418);
    // The fallback does not apply to a known path with another method.
    assert_eq!(ask(&router, Method::PUT, "/users/7").status(), 405);
}

#[test]
fn a_later_handler_takes_the_place_of_an_earlier_one() {
    let router = router().get("/", async |_: Request| "new home");
    assert_eq!(text(ask(&router, Method::GET, "/")), "new home");
}

#[test]
#[should_panic(expected = "\"/users/{name}\" cannot be added")]
fn conflicting_routes_panic() {
    let _ = router().get("/users/{name}", async |_: Request| "");
}
