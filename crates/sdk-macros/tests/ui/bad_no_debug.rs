//! An argument that cannot be recorded.
struct Order;

#[tempo_sdk_otel::instrument]
fn load(order: Order) {
    drop(order);
}

fn main() {}
