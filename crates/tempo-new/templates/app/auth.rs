//! Checks the token of a request: 200 if it is the one of the environment, else 401.

use http::{HeaderMap, Response, StatusCode, header::AUTHORIZATION};
use wasip3::exports::http::handler::Guest;
use wasip3::http::types::{self, ErrorCode};
use wasip3::http_compat::{http_from_wasi_request, http_into_wasi_response};

struct Component;

wasip3::http::service::export!(Component);

impl Guest for Component {
    async fn handle(request: types::Request) -> Result<types::Response, ErrorCode> {
        let request = http_from_wasi_request(request)?;
        let token = std::env::var("TOKEN").unwrap_or_default();
        let mut response = Response::new(String::new());
        *response.status_mut() = check(request.headers(), &token);
        http_into_wasi_response(response)
    }
}

fn check(headers: &HeaderMap, token: &str) -> StatusCode {
    let given = headers
        .get(AUTHORIZATION)
        .and_then(|value| value.to_str().ok());
    match given.and_then(|value| value.strip_prefix("Bearer ")) {
        // Without a token in the environment, none is valid.
        Some(given) if !token.is_empty() && given == token => StatusCode::OK,
        _ => StatusCode::UNAUTHORIZED,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_token_is_valid() {
        let mut headers = HeaderMap::new();
        assert_eq!(check(&headers, "token"), StatusCode::UNAUTHORIZED);
        headers.insert(AUTHORIZATION, "Bearer token".parse().unwrap());
        assert_eq!(check(&headers, "token"), StatusCode::OK);
        assert_eq!(check(&headers, "other"), StatusCode::UNAUTHORIZED);
        headers.insert(AUTHORIZATION, "Bearer ".parse().unwrap());
        assert_eq!(check(&headers, ""), StatusCode::UNAUTHORIZED);
    }
}
