//! The item is not a function.
#[tempo_sdk_otel::instrument]
struct Load {
    id: u64,
}

fn main() {
    let _ = Load { id: 1 }.id;
}
