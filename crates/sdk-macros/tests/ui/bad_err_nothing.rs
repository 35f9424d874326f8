//! `err` on a function that returns nothing.
#[tempo_sdk_otel::instrument(err)]
fn load(id: u64) {
    drop(id);
}

fn main() {}
