//! Returns the price of an item: the path `/tea` names it.

use http::{Response, StatusCode};
use wasip3::exports::http::handler::Guest;
use wasip3::http::types::{self, ErrorCode};
use wasip3::http_compat::{http_from_wasi_request, http_into_wasi_response};

struct Component;

wasip3::http::service::export!(Component);

impl Guest for Component {
    async fn handle(request: types::Request) -> Result<types::Response, ErrorCode> {
        let request = http_from_wasi_request(request)?;
        http_into_wasi_response(answer(request.uri().path()))
    }
}

fn answer(path: &str) -> Response<String> {
    let item = path.trim_start_matches('/');
    match cents(item) {
        Some(cents) => Response::new(format!("{item}: {}.{:02}\n", cents / 100, cents % 100)),
        None => {
            let mut response = Response::new("no such item\n".to_owned());
            *response.status_mut() = StatusCode::NOT_FOUND;
            response
        }
    }
}

fn cents(item: &str) -> Option<u32> {
    match item {
        "tea" => Some(350),
        "cake" => Some(405),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_price_has_two_decimals() {
        assert_eq!(answer("/cake").body(), "cake: 4.05\n");
        assert_eq!(answer("/gold").status(), StatusCode::NOT_FOUND);
    }
}
