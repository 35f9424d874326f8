//! The attribute has an option.
use tempo_sdk_keyvalue::Change;

#[tempo_sdk_keyvalue::watcher(bucket = "default")]
async fn changed(change: Change) {
    drop(change);
}

fn main() {}
