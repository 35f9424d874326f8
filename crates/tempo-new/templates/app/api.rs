//! The component that clients reach. It asks `auth` and `pricing`: these requests never leave the process.

use http::{HeaderMap, Request, Response, StatusCode, header::AUTHORIZATION};
use http_body_util::{BodyExt, Full};
use wasip3::exports::http::handler::Guest;
use wasip3::http::client;
use wasip3::http::types::{self, ErrorCode};
use wasip3::http_compat::{
    http_from_wasi_request, http_from_wasi_response, http_into_wasi_request,
    http_into_wasi_response,
};

struct Component;

wasip3::http::service::export!(Component);

impl Guest for Component {
    async fn handle(request: types::Request) -> Result<types::Response, ErrorCode> {
        let request = http_from_wasi_request(request)?;
        http_into_wasi_response(answer(request.uri().path(), request.headers()).await?)
    }
}

async fn answer(path: &str, headers: &HeaderMap) -> Result<Response<String>, ErrorCode> {
    let mut login = Request::get("http://auth.tempo.internal/");
    if let Some(token) = headers.get(AUTHORIZATION) {
        login = login.header(AUTHORIZATION, token);
    }
    let (status, _) = send(login).await?;
    if status != StatusCode::OK {
        return Ok(response(status, "a valid token is needed\n".to_owned()));
    }
    let item = item(path);
    let (status, price) = send(Request::get(format!(
        "http://pricing.tempo.internal/{item}"
    )))
    .await?;
    Ok(response(status, price))
}

/// Sends a request without a body, and returns the status and the text of the response.
async fn send(request: http::request::Builder) -> Result<(StatusCode, String), ErrorCode> {
    let failed = |error: String| ErrorCode::InternalError(Some(error));
    let request = request
        .body(Full::<&[u8]>::default())
        .map_err(|error| failed(error.to_string()))?;
    let response = client::send(http_into_wasi_request(request)?).await?;
    let (parts, body) = http_from_wasi_response(response)?.into_parts();
    let body = body
        .collect()
        .await
        .map_err(|error| failed(format!("{error:?}")))?;
    Ok((
        parts.status,
        String::from_utf8_lossy(&body.to_bytes()).into_owned(),
    ))
}

fn response(status: StatusCode, text: String) -> Response<String> {
    let mut response = Response::new(text);
    *response.status_mut() = status;
    response
}

/// Returns the last segment of the path.
fn item(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_item_is_the_last_segment() {
        assert_eq!(item("/prices/tea"), "tea");
        assert_eq!(item("/prices/"), "");
    }
}
