//! The function is a method.
use tempo_sdk_keyvalue::Change;

struct Watcher;

impl Watcher {
    #[tempo_sdk_keyvalue::watcher]
    async fn changed(&self, change: Change) {
        drop(change);
    }
}

fn main() {}
