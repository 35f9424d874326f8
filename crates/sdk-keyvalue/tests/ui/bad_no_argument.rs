//! Nothing to say what changed.

#[tempo_sdk_keyvalue::watcher]
async fn changed() {}

fn main() {}
