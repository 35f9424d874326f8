//! The item is not a function.

#[tempo_sdk_messaging::handler]
struct Handler;

fn main() {}
