//! `--allow-topic`: the topics on which a component may publish and request, on every broker and through every
//! interface.

use crate::support::messaging::{Broker, SOON, on_each_broker, publish};
use crate::support::{Client, Run, Server, get};

on_each_broker!(nothing_is_sent_on_other_topics, a_request_gets_its_reply);

mod core_nats {
    use super::Broker;

    #[test]
    fn nothing_is_sent_on_other_topics() {
        super::nothing_is_sent_on_other_topics(&Broker::core_nats());
    }

    #[test]
    fn a_request_gets_its_reply() {
        super::a_request_gets_its_reply(&Broker::core_nats());
    }
}

fn serve(broker: &Broker, guest: &str, subscription: &str, allowed: &str) -> Server {
    broker.run(guest).args(["--subscribe", subscription, "--allow-topic", allowed]).serve()
}

fn nothing_is_sent_on_other_topics(broker: &Broker) {
    let server = serve(broker, "messaging-conformance", SOON, "check.allowed.>");
    publish(server.address, "topic=check.allowed.a", "x");
    for path in ["/publish?topic=check.other", "/publish-many?count=2&topic=check.other", "/request?topic=check.other"]
    {
        let response = Client::connect(server.address).post(path, "x");
        assert_ne!(response.status, 200, "{path}");
        assert!(response.text().contains("--allow-topic"), "{path}: {}", response.text());
    }
    drop(server);
    // The other interfaces, with their own errors.
    for (guest, check) in [
        ("messaging-wasmcloud", "bytes"),
        ("messaging-drafts", "wasi/bytes"),
        ("messaging-drafts", "wasmcloud/publish"),
    ] {
        let server = serve(broker, guest, SOON, "check.allowed.>");
        let response = get(server.address, &format!("/check/{check}"));
        let text = response.text();
        let denied = ["AccessDenied", "PermissionDenied", "--allow-topic"].iter().any(|word| text.contains(word));
        assert!(response.status == 500 && denied, "{guest} {check}: {} {text}", response.status);
    }
}

/// A reply goes to the request's inbox, which is not among the allowed topics.
fn a_request_gets_its_reply(broker: &Broker) {
    let server = serve(broker, "request-reply", "greetings.hello", "greetings.*");
    assert_eq!(get(server.address, "/?name=Ada").status, 200);
    drop(server);
    let server = serve(broker, "request-reply", "greetings.hello", "other");
    assert_ne!(get(server.address, "/?name=Ada").status, 200);
}

#[test]
fn a_topic_that_cannot_be_allowed() {
    let run =
        |topic: &str| Run::guest("messaging-conformance").args(["--subscribe", SOON, "--allow-topic", topic]).finish();
    run("$JS.API.>").failed_in_one_line(64, &["--allow-topic: topics of servers"]);
    run("_INBOX.>").failed_in_one_line(64, &["--allow-topic: topics of servers"]);
    run("a b").failed_in_one_line(64, &["--allow-topic: this is no topic"]);
    run("other=a").failed_in_one_line(64, &["--allow-topic: no broker of that name"]);
}
