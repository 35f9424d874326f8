//! Prices for other components of an app. It has no trigger: a component that imports `acme:pricing/quote` calls it, and the
//! host links the two by `imports` in `tempo.toml`.

mod bindings {
    #![allow(missing_docs, unsafe_code, unreachable_pub, clippy::all, clippy::pedantic, reason = "generated code")]
    wit_bindgen::generate!({ path: "wit", world: "service" });
    use super::Pricing;
    export!(Pricing);
}

use bindings::exports::acme::pricing::quote::{Error, Guest, Item, Line};

/// Maximum number of pieces of one item.
const MAX_PIECES: u32 = 100;

struct Pricing;

impl Guest for Pricing {
    fn price(name: String) -> Result<u64, Error> {
        match name.as_str() {
            "tea" => Ok(350),
            "coffee" => Ok(420),
            _ => Err(Error::UnknownItem(name)),
        }
    }

    async fn quote(items: Vec<Item>) -> Result<Vec<Line>, Error> {
        let line = |item: Item| {
            if item.quantity > MAX_PIECES {
                return Err(Error::TooMany(MAX_PIECES));
            }
            let cents = Self::price(item.name.clone())?.saturating_mul(u64::from(item.quantity));
            Ok(Line { item, cents })
        };
        items.into_iter().map(line).collect()
    }
}
