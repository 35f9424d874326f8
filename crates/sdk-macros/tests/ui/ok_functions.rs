//! Functions of all forms.
#![deny(warnings)]
use std::fmt::{Debug, Display};
use tempo_sdk_otel::instrument;
use tempo_sdk_otel::tracing::Level;

#[derive(Debug)]
struct Order(u64);

#[instrument]
fn plain() {}

#[instrument(name = "of all", level = "debug", skip(b), fields(c = 1, "d e" = "x", f.g = ?Order(1), h = %a, late), err)]
fn options(a: u64, b: Order) -> Result<u64, String> {
    if a > 1 {
        return Err("too many".to_owned());
    }
    let checked: u8 = a.try_into().map_err(|_| "too large")?;
    Ok(u64::from(checked) + b.0)
}

#[instrument(level = Level::TRACE, skip_all)]
fn generic<T: Display, const N: usize>(values: [T; N]) -> impl Iterator<Item = String> {
    values.into_iter().map(|value| value.to_string())
}

#[instrument(fields(text = 7))]
fn borrowed<'a>(text: &'a str, (left, right): (usize, usize), mut order: Order, _: Vec<u8>) -> &'a str {
    order.0 += 1;
    assert_eq!(order.0, 2);
    &text[left..right]
}

#[instrument]
fn changed(orders: &mut Vec<Order>) -> &mut Order {
    orders.push(Order(1));
    orders.last_mut().unwrap()
}

#[instrument(err)]
fn changed_or_not<'a>(orders: &'a mut Vec<Order>) -> Result<&'a mut Order, &'static str> {
    orders.last_mut().ok_or("none")
}

#[instrument]
async fn asynchronous<T: Debug>(value: T) -> T {
    std::future::ready(()).await;
    value
}

#[instrument(err)]
async fn fails(text: &str) -> Result<u64, Box<dyn std::error::Error>> {
    if text.is_empty() {
        return Ok(0);
    }
    Ok(text.parse::<u64>()?)
}

#[instrument]
async fn opaque() -> impl Display {
    "opaque"
}

#[instrument]
async fn never() -> ! {
    std::future::pending().await
}

#[instrument]
unsafe fn unsound(pointer: *const u8) -> u8 {
    unsafe { *pointer }
}

fn main() {
    plain();
    assert_eq!(options(1, Order(2)), Ok(3));
    assert_eq!(options(2, Order(2)), Err("too many".to_owned()));
    assert!(generic([1, 2]).eq(["1", "2"]));
    assert_eq!(borrowed("hello", (1, 3), Order(1), vec![]), "el");
    let mut orders = Vec::new();
    assert_eq!(changed(&mut orders).0, 1);
    assert!(changed_or_not(&mut orders).is_ok());
    drop((asynchronous(1), fails("x"), opaque(), never()));
    assert_eq!(unsafe { unsound(&7) }, 7);
}
