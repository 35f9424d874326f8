//! Outgoing requests.

use std::time::Duration;

use http::Method;
use tempo_sdk_http::{Body, Client, Error, IntoResponse, Request, Response, Router, StatusCode};

use crate::text;

pub(crate) fn routes(router: Router) -> Router {
    router.get("/fetch", fetch).post("/upload-to", upload).get("/pass", pass)
}

/// `?url=URL[&method=M][&timeout=MS]`: sends a request and responds with the status line and the body, or 502 and the
/// name of the error code.
async fn fetch(request: Request) -> Response {
    let method = text(&request, "method").parse().ok().filter(|_| request.query_value("method").is_some());
    let mut outgoing = Client::new().request(method.unwrap_or(Method::GET), text(&request, "url"));
    if let Some(limit) = request.query_value("timeout").and_then(|limit| limit.parse().ok()) {
        outgoing = outgoing.timeout(Duration::from_millis(limit));
    }
    match outgoing.send().await {
        Ok(response) => match describe(response).await {
            Ok(text) => text.into_response(),
            Err(error) => failed(&error),
        },
        Err(error) => failed(&error),
    }
}

async fn describe(response: Response) -> Result<String, Error> {
    let status = response.status();
    Ok(format!("{status}\n{}", response.into_body().text().await?))
}

fn failed(error: &Error) -> Response {
    let code = error.code().map_or_else(|| format!("{:?}", error.kind()), str::to_owned);
    (StatusCode::BAD_GATEWAY, format!("{code}\n")).into_response()
}

/// `?url=URL`: streams the request's body to the URL and returns its response.
async fn upload(request: Request) -> Response {
    let url = text(&request, "url");
    match Client::new().post(url).body(request.into_body()).send().await {
        Ok(response) => response.map(Body::new),
        Err(error) => failed(&error),
    }
}

/// `?url=URL`: returns the response of the URL, with a streaming body.
async fn pass(request: Request) -> Response {
    match tempo_sdk_http::get(text(&request, "url")).await {
        Ok(response) => response,
        Err(error) => failed(&error),
    }
}
