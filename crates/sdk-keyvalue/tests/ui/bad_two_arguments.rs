//! The parts of a change, one by one.

#[tempo_sdk_keyvalue::watcher]
async fn changed(key: String, value: Vec<u8>) {
    drop((key, value));
}

fn main() {}
