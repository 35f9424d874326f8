//! One field, twice.
#[tempo_sdk_otel::instrument(fields(order.id = 1, customer = "Ada", order.id = 2))]
fn load(id: u64) -> u64 {
    id
}

fn main() {}
