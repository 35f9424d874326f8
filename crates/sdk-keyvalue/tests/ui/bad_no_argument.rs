//! The function has no argument.

#[tempo_sdk_keyvalue::watcher]
async fn changed() {}

fn main() {}
