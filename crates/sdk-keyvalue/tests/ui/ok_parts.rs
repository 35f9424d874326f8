//! The parts of a change, and a return type that says what it would be without.
use tempo_sdk_keyvalue::Change;

#[tempo_sdk_keyvalue::watcher]
async fn changed(Change { key, value, .. }: Change) -> () {
    drop((key, value));
}

fn main() {}
