//! The item is not a function.

#[tempo_sdk_keyvalue::watcher]
struct Changed;

fn main() {}
