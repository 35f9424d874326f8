//! The function returns a `Result`.
use tempo_sdk_keyvalue::{Change, Error};

#[tempo_sdk_keyvalue::watcher]
async fn changed(change: Change) -> Result<(), Error> {
    change.bucket.delete(change.key).await
}

fn main() {}
