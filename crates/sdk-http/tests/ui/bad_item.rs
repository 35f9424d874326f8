//! The item is not a function.
#[tempo_sdk_http::handler]
struct Handler;

fn main() {}
