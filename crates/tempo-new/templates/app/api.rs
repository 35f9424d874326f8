//! The component that clients reach. It asks `pricing`: this request never leaves the process.

use http::{Request, Response};
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
        http_into_wasi_response(price(item(request.uri().path())).await?)
    }
}

/// Asks `pricing` for the price of an item.
async fn price(item: &str) -> Result<Response<String>, ErrorCode> {
    let failed = |error: String| ErrorCode::InternalError(Some(error));
    let request = Request::get(format!("http://pricing.tempo.internal/{item}"))
        .body(Full::<&[u8]>::default())
        .map_err(|error| failed(error.to_string()))?;
    let response = client::send(http_into_wasi_request(request)?).await?;
    let (parts, body) = http_from_wasi_response(response)?.into_parts();
    let body = body
        .collect()
        .await
        .map_err(|error| failed(format!("{error:?}")))?;
    let mut response = Response::new(String::from_utf8_lossy(&body.to_bytes()).into_owned());
    *response.status_mut() = parts.status;
    Ok(response)
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
