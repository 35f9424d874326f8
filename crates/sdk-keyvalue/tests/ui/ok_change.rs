//! The usual form.
use tempo_sdk_keyvalue::Change;

#[tempo_sdk_keyvalue::watcher]
async fn changed(change: Change) {
    println!("{} in {:?}: {:?}", change.key, change.bucket, change.value);
}

fn main() {}
