//! The app of `guests/shop`, on embedded stores and on NATS.

use std::path::Path;

use crate::apps::app;
use crate::support::guest::target;
use crate::support::nats::Nats;
use crate::support::{Client, Server, eventually, get};

/// Serves the shop in a folder of its own, with other URLs of its messages and of its orders.
fn serve(messages: &str, orders: &str) -> Server {
    let shop = Path::new(env!("CARGO_MANIFEST_DIR")).join("../guests/shop/tempo.toml");
    let text = std::fs::read_to_string(shop).unwrap();
    let mut text =
        text.replace("../../target/wasm32-wasip2/guest", target().join("wasm32-wasip2/guest").to_str().unwrap());
    for (own, url) in [("file:.tempo/messages.redb", messages), ("file:.tempo/orders.redb", orders)] {
        assert!(text.contains(own), "{text}");
        text = text.replace(own, url);
    }
    app(&text).serve()
}

/// Each link of the shop works, and an order that is sent to `api` of one server is handled by a `worker` and stored for that of another.
fn works(sent_to: &Server, read_from: &Server, id: &str) {
    assert_eq!(get(sent_to.address, "/").text(), "Hello from Tempo!\n");
    // The isolated link, and the composed one.
    for path in ["/quotes", "/estimates"] {
        assert_eq!(
            get(sent_to.address, &format!("{path}?tea=2&coffee=1")).text(),
            "2 tea: 700\n1 coffee: 420\n",
            "{path}"
        );
    }
    let order = format!(r#"{{"id": "{id}", "customer": "Ada", "item": "tea", "quantity": 2}}"#);
    assert_eq!(Client::connect(sent_to.address).post("/orders", order).status, 202);
    let handled = eventually("the order is handled", || {
        let response = get(read_from.address, &format!("/orders/{id}"));
        // The count is written after the order.
        (response.status == 200 && !response.text().contains("\"handled\":0")).then(|| response.text())
    });
    assert!(handled.contains("\"customer\":\"Ada\"") && handled.contains("\"handled\":1"), "{handled}");
}

#[test]
fn an_order_is_handled_on_embedded_stores() {
    let server = serve("file:.tempo/messages.redb", "file:.tempo/orders.redb");
    server.log.wait_for("handling orders.> as consumer shop-worker of default (8 at once)");
    works(&server, &server, "1");
}

#[test]
fn two_processes_share_the_orders_on_nats() {
    let nats = Nats::start();
    let servers = [(); 2].map(|()| serve(&nats.url("SHOP"), &nats.url("orders")));
    for server in &servers {
        server.log.wait_for("handling orders.> as consumer shop-worker of default (8 at once)");
    }
    let [a, b] = &servers;
    works(a, b, "1");
    works(b, a, "2");
    // A process that ends leaves the orders to the other one.
    a.signal(rustix::process::Signal::TERM);
    a.log.to_the_end();
    works(b, b, "3");
}
