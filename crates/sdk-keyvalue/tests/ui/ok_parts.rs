//! The argument is a pattern, and the return type is an explicit `()`.
use tempo_sdk_keyvalue::Change;

#[tempo_sdk_keyvalue::watcher]
async fn changed(Change { key, value, .. }: Change) -> () {
    drop((key, value));
}

fn main() {}
