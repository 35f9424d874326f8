//! Exports a resource and a stream, which only a component that it is composed with can use. `attempt` uses what a composed
//! component may only do if it inherits the grant.

mod bindings {
    #![allow(missing_docs, unsafe_code, unreachable_pub, clippy::all, clippy::pedantic, reason = "generated code")]
    wit_bindgen::generate!({ path: "wit", world: "service" });
    use super::Service;
    export!(Service);
}

use std::cell::RefCell;
use std::fmt::Display;

use bindings::exports::acme::basket::{attempts, basket};
use bindings::wit_stream;
use tempo_sdk_keyvalue::Bucket;
use wasip3::sockets::ip_name_lookup::resolve_addresses;
use wasip3::sockets::types::{IpAddressFamily, TcpSocket};
use wit_bindgen::{StreamReader, spawn_local};

struct Service;

struct Basket(RefCell<Vec<(String, u32)>>);

impl basket::Guest for Service {
    type Basket = Basket;

    fn pieces(baskets: Vec<basket::Basket>) -> u32 {
        let pieces =
            |basket: basket::Basket| basket.get::<Basket>().0.borrow().iter().map(|(_, pieces)| pieces).sum::<u32>();
        baskets.into_iter().map(pieces).sum()
    }
}

impl basket::GuestBasket for Basket {
    fn new() -> Self {
        Self(RefCell::default())
    }

    fn add(&self, item: String, pieces: u32) {
        self.0.borrow_mut().push((item, pieces));
    }

    async fn lines(&self) -> StreamReader<u8> {
        let (mut writer, reader) = wit_stream::new();
        let lines: Vec<String> = self.0.borrow().iter().map(|(item, pieces)| format!("{pieces} {item}\n")).collect();
        spawn_local(async move {
            for line in lines {
                writer.write_all(line.into_bytes()).await;
            }
        });
        reader
    }
}

impl attempts::Guest for Service {
    async fn attempt(what: String, target: String) -> Result<String, String> {
        match what.as_str() {
            "http" => match tempo_sdk_http::get(target).await {
                Ok(response) => Ok(response.status().to_string()),
                Err(error) => Err(text(error)),
            },
            "keyvalue" => {
                let bucket = Bucket::open(&target).await.map_err(text)?;
                bucket.increment("visits", 1).await.map(|visits| visits.to_string()).map_err(text)
            }
            "file" => std::fs::read_to_string(target).map_err(text),
            "env" => std::env::var(target).map_err(text),
            "socket" => TcpSocket::create(IpAddressFamily::Ipv4).map(|_| "created".to_owned()).map_err(text),
            "resolve" => {
                let addresses = resolve_addresses(target).await.map_err(text)?;
                Ok(addresses.len().to_string())
            }
            "log" => {
                println!("{target}");
                Ok(String::new())
            }
            _ => Err(format!("no such attempt: {what}")),
        }
    }
}

fn text(error: impl Display) -> String {
    error.to_string()
}
