//! The function is generic.
use tempo_sdk_keyvalue::Change;

#[tempo_sdk_keyvalue::watcher]
async fn changed<T>(change: Change) {
    drop(change);
}

fn main() {}
