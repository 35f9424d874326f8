//! Messaging: the same components and the same assertions on every broker.

use crate::support::messaging::{Broker, SOON, on_each_broker};
use crate::support::{Client, Response, Server, eventually, get};

on_each_broker!(
    tempo_messaging_is_as_it_is_meant,
    the_drafts_are_as_they_are_meant,
    wasmcloud_messaging_is_as_it_is_meant,
    orders_are_kept_once,
    greetings_are_answered,
);

/// Some checks wait for several deliveries, or for the absence of one.
const PATIENT: &[&str] = &["--request-timeout", "100s", "--cpu-timeout", "60s"];

/// Runs the checks of a conformance guest: those for persistent brokers only on such a broker, and those for other
/// brokers only on those.
fn checks(broker: &Broker, guest: &str, least: usize, keeps: bool) {
    let server = broker.run(guest).args(["--subscribe", SOON]).args(PATIENT).serve();
    let names = get(server.address, "/checks").text();
    let other = if keeps { "core-" } else { "kept-" };
    let names: Vec<&str> = names.lines().filter(|name| !name.contains(other)).collect();
    assert!(names.len() >= least, "{names:?}");
    let mut failed = Vec::new();
    for name in names {
        let response = get(server.address, &format!("/check/{name}"));
        if response.status != 200 || response.text() != "ok\n" {
            failed.push(format!("{name}: {} {}", response.status, response.text()));
        }
    }
    assert!(failed.is_empty(), "on {}:\n{}", broker.url, failed.concat());
}

fn tempo_messaging_is_as_it_is_meant(broker: &Broker) {
    checks(broker, "messaging-conformance", 34, true);
}

fn the_drafts_are_as_they_are_meant(broker: &Broker) {
    checks(broker, "messaging-drafts", 19, true);
}

fn wasmcloud_messaging_is_as_it_is_meant(broker: &Broker) {
    checks(broker, "messaging-wasmcloud", 13, true);
}

/// The weaker guarantees of core NATS are asserted as such.
mod core_nats {
    use super::{Broker, checks};

    #[test]
    fn tempo_messaging_is_as_it_is_meant() {
        checks(&Broker::core_nats(), "messaging-conformance", 28, false);
    }

    #[test]
    fn the_drafts_are_as_they_are_meant() {
        checks(&Broker::core_nats(), "messaging-drafts", 17, false);
    }

    #[test]
    fn wasmcloud_messaging_is_as_it_is_meant() {
        checks(&Broker::core_nats(), "messaging-wasmcloud", 11, false);
    }

    #[test]
    fn orders_are_kept_once() {
        super::orders_are_kept_once(&Broker::core_nats());
    }

    #[test]
    fn greetings_are_answered() {
        super::greetings_are_answered(&Broker::core_nats());
    }
}

/// The example handles HTTP requests and messages, in one component.
fn orders_are_kept_once(broker: &Broker) {
    for guest in ["orders", "orders-p2"] {
        let server = broker.serve(guest, "orders.>;backoff=200ms;max-deliver=3");
        server.log.wait_for("handling orders.> as consumer");
        let mut client = Client::connect(server.address);
        for number in 0..5 {
            let id = format!("{guest}-{number}");
            assert_eq!(client.get(&format!("/orders/{id}")).status, 404, "{guest}");
            let order = format!(r#"{{"id":"{id}","customer":"Ada \u00e4","item":"tea","quantity":2}}"#);
            assert_eq!(client.post("/orders", &order).status, 202, "{guest}");
            let kept = handled(&server, &id);
            let wanted = format!(r#"{{"id":"{id}","customer":"Ada ä","item":"tea","quantity":2,"handled":1}}"#);
            assert_eq!(kept.text(), wanted, "{guest}");
        }
        assert_eq!(client.post("/orders", r#"{"id":"1"}"#).status, 400, "{guest}");
        assert_eq!(client.get("/nowhere").status, 404, "{guest}");
    }
}

/// Returns an order once it is handled.
fn handled(server: &Server, id: &str) -> Response {
    eventually(&format!("order {id} is handled"), || {
        Some(get(server.address, &format!("/orders/{id}"))).filter(|response| {
            // The count is written after the order.
            response.status == 200 && !response.text().contains("\"handled\":0")
        })
    })
}

fn greetings_are_answered(broker: &Broker) {
    for guest in ["request-reply", "request-reply-p2"] {
        let server = broker.serve(guest, "greetings.hello");
        let mut client = Client::connect(server.address);
        for (query, answer) in
            [("", "Hello, World!\n"), ("?name=Ada", "Hello, Ada!\n"), ("?name=%C3%A4", "Hello, ä!\n")]
        {
            let response = client.get(&format!("/{query}"));
            assert_eq!((response.status, response.text().as_str()), (200, answer), "{guest}");
        }
    }
}

/// A client that resends an order creates no second one.
#[test]
fn an_order_that_is_sent_twice_is_handled_once() {
    for broker in [Broker::memory(), Broker::file(), Broker::jetstream()] {
        let server = broker.serve("orders", "orders.>");
        let mut client = Client::connect(server.address);
        let order = |id: &str| format!(r#"{{"id":"{id}","customer":"Ada","item":"tea","quantity":2}}"#);
        for id in ["1", "1", "1", "2"] {
            assert_eq!(client.post("/orders", order(id)).status, 202);
        }
        handled(&server, "2");
        assert!(handled(&server, "1").text().ends_with("\"handled\":1}"), "on {}", broker.url);
    }
}

/// Each version of WASI handles the messages of the other.
#[test]
fn wasi_0_2_and_0_3_handle_the_same_messages() {
    for broker in [Broker::file(), Broker::jetstream()] {
        for [publisher, handler] in [["orders", "orders-p2"], ["orders-p2", "orders"]] {
            // The consumer exists before the message is published, and no runtime handles it then.
            drop(broker.serve(handler, "orders.created;consumer=both"));
            let id = format!("from-{publisher}");
            let server = broker.run(publisher).serve();
            let order = format!(r#"{{"id":"{id}","customer":"Ada","item":"tea","quantity":2}}"#);
            assert_eq!(Client::connect(server.address).post("/orders", order).status, 202, "on {}", broker.url);
            drop(server);
            let server = broker.serve(handler, "orders.created;consumer=both");
            assert!(handled(&server, &id).text().contains("\"item\":\"tea\""));
        }
    }
}

/// The guests of `cargo xtask bench messaging`: a command that publishes, and a component that only handles.
#[test]
fn a_command_sends_what_another_component_handles() {
    let broker = Broker::core_nats();
    let _handler = broker.run("messaging-handler").args(["--subscribe", "bench.>"]).work();
    for operation in ["publish", "request"] {
        let run = broker.run("messaging-bench").args(["--", operation, "200", "10"]);
        let ended = run.finish();
        let seconds: f64 = ended.succeeded().trim().parse().unwrap();
        assert!(seconds > 0.0, "{ended:?}");
    }
}
