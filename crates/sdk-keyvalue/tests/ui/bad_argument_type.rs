//! Something else than a change.

#[tempo_sdk_keyvalue::watcher]
async fn changed(key: String) {
    drop(key);
}

fn main() {}
