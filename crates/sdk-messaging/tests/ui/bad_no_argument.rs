//! Nothing to handle.

#[tempo_sdk_messaging::handler]
async fn handle() {}

fn main() {}
