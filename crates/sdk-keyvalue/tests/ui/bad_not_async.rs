//! The function is not async.
use tempo_sdk_keyvalue::Change;

#[tempo_sdk_keyvalue::watcher]
fn changed(change: Change) {
    drop(change);
}

fn main() {}
