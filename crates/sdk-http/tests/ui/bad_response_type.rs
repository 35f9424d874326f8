//! The return type does not implement `IntoResponse`.
use tempo_sdk_http::Request;

#[tempo_sdk_http::handler]
async fn handle(_: Request) -> u32 {
    7
}

fn main() {}
