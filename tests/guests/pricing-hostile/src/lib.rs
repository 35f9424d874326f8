//! Exports prices to other components. The name of an item says how it fails: `trap`, `spin`, `count` (the price is the
//! number of calls of the instance), `bytes` (the quote has as many lines as pieces are wanted).

mod bindings {
    #![allow(missing_docs, unsafe_code, unreachable_pub, clippy::all, clippy::pedantic, reason = "generated code")]
    wit_bindgen::generate!({ path: "wit", world: "service" });
    use super::Pricing;
    export!(Pricing);
}

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use bindings::exports::acme::pricing::quote::{Error, Guest, Item, Line};

static CALLS: AtomicU64 = AtomicU64::new(0);

struct Pricing;

impl Guest for Pricing {
    fn price(name: String) -> Result<u64, Error> {
        match name.as_str() {
            "trap" => std::process::abort(),
            "spin" => loop {
                std::hint::black_box(&name);
            },
            "count" => Ok(CALLS.fetch_add(1, Relaxed) + 1),
            _ => Err(Error::UnknownItem(name)),
        }
    }

    async fn quote(items: Vec<Item>) -> Result<Vec<Line>, Error> {
        let mut lines = Vec::new();
        for item in items {
            let count = if item.name == "bytes" { item.quantity } else { 1 };
            let cents = if item.name == "bytes" { 0 } else { Self::price(item.name.clone())? };
            lines.extend((0..count).map(|_| Line { item: item.clone(), cents }));
        }
        Ok(lines)
    }
}
