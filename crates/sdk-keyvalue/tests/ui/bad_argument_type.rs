//! The argument is not a `Change`.

#[tempo_sdk_keyvalue::watcher]
async fn changed(key: String) {
    drop(key);
}

fn main() {}
