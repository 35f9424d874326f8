//! The function has no argument.

#[tempo_sdk_messaging::handler]
async fn handle() {}

fn main() {}
