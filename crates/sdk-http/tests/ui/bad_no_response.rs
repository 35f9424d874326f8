//! The function returns nothing.
use tempo_sdk_http::Request;

#[tempo_sdk_http::handler]
async fn handle(_: Request) {}

fn main() {}
