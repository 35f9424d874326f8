//! An argument without `Debug`.
struct Order;

#[tempo_sdk_otel::instrument]
fn load(order: Order) {
    drop(order);
}

fn main() {}
