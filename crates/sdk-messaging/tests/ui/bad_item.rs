//! No function.

#[tempo_sdk_messaging::handler]
struct Handler;

fn main() {}
