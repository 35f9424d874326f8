//! The function takes the fields of a change as arguments.

#[tempo_sdk_keyvalue::watcher]
async fn changed(key: String, value: Vec<u8>) {
    drop((key, value));
}

fn main() {}
