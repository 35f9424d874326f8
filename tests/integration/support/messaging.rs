//! The brokers that every messaging test runs on. `on_each_broker!` makes one test per persistent broker of a function.

use std::net::SocketAddr;

use serde_json::Value;
use tempfile::TempDir;

use super::nats::Nats;
use super::{Client, Run, Server, eventually};

/// Up to three deliveries with a short backoff.
pub(crate) const SOON: &str = "check.>;backoff=200ms;max-deliver=3";

/// A broker and a keyvalue store, which outlive the runtimes of a test.
pub(crate) struct Broker {
    pub(crate) url: String,
    pub(crate) keyvalue: String,
    _directory: Option<TempDir>,
    pub(crate) nats: Option<Nats>,
}

impl Broker {
    pub(crate) fn memory() -> Self {
        Self { url: "memory:".to_owned(), keyvalue: "memory:".to_owned(), _directory: None, nats: None }
    }

    /// Files that do not exist yet.
    pub(crate) fn file() -> Self {
        let directory = TempDir::new().unwrap();
        let url = |name: &str| format!("file:{}", directory.path().join(name).display());
        let (url, keyvalue) = (url("messages.redb"), url("store.redb"));
        Self { url, keyvalue, _directory: Some(directory), nats: None }
    }

    /// A stream that does not exist yet.
    pub(crate) fn jetstream() -> Self {
        let nats = Nats::start();
        Self { url: nats.url("EVENTS"), keyvalue: nats.url("ledger"), _directory: None, nats: Some(nats) }
    }

    /// NATS without a stream: messages without a subscriber are lost.
    pub(crate) fn core_nats() -> Self {
        let nats = Nats::start();
        Self {
            url: format!("nats://{}", nats.address),
            keyvalue: nats.url("ledger"),
            _directory: None,
            nats: Some(nats),
        }
    }

    fn with(&self, run: Run) -> Run {
        run.args(["--messaging", &self.url, "--keyvalue", &self.keyvalue])
    }

    /// `tempo run` of a guest with this broker and store as `default`.
    pub(crate) fn run(&self, guest: &str) -> Run {
        self.with(Run::guest(guest))
    }

    /// `tempo run` with a subscription.
    pub(crate) fn serve(&self, guest: &str, subscription: &str) -> Server {
        self.run(guest).args(["--subscribe", subscription]).serve()
    }

    /// `tempo-worker run` of the guest that handles messages only.
    pub(crate) fn worker(&self, subscription: &str) -> Run {
        self.with(Run::worker("messaging-worker")).args(["--subscribe", subscription])
    }
}

/// Publishes with the conformance guest: `query` has the topic and the handler's action.
#[track_caller]
pub(crate) fn publish(address: SocketAddr, query: &str, payload: &str) {
    let response = Client::connect(address).post(&format!("/publish?{query}"), payload);
    assert_eq!((response.status, response.text().as_str()), (200, "accepted\n"), "{query}");
}

/// Publishes several messages with the conformance guest.
#[track_caller]
pub(crate) fn publish_many(address: SocketAddr, count: usize, query: &str) {
    let response = Client::connect(address).post(&format!("/publish-many?count={count}&{query}"), "");
    assert_eq!((response.status, response.text()), (200, format!("{count}\n")), "{query}");
}

/// Returns the messages that the conformance guest has received on a topic, in order.
pub(crate) fn seen(address: SocketAddr, topic: &str) -> Vec<Value> {
    let response = super::get(address, &format!("/seen?topic={topic}"));
    assert_eq!(response.status, 200, "{}", response.text());
    response.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Waits until there are `least` of them.
pub(crate) fn wait_seen(address: SocketAddr, topic: &str, least: usize) -> Vec<Value> {
    eventually(&format!("{least} deliveries on {topic}"), || {
        Some(seen(address, topic)).filter(|seen| seen.len() >= least)
    })
}

/// Returns the number of messages that the conformance guest has handled completely.
pub(crate) fn done(address: SocketAddr, topic: &str) -> usize {
    super::get(address, &format!("/done?topic={topic}")).text().trim().parse().unwrap()
}

/// Waits until the conformance guest has handled `least` messages completely.
pub(crate) fn wait_done(address: SocketAddr, topic: &str, least: usize) {
    eventually(&format!("{least} messages handled on {topic}"), || (done(address, topic) >= least).then_some(()));
}

/// Returns the attempt number of each delivery.
pub(crate) fn attempts(seen: &[Value]) -> Vec<u64> {
    seen.iter().map(|seen| seen["attempt"].as_u64().unwrap()).collect()
}

macro_rules! on_each_broker {
    ($($test:ident),+ $(,)?) => {
        mod memory {
            use crate::support::messaging::Broker;
            $(#[test] fn $test() { super::$test(&Broker::memory()); })+
        }

        mod file {
            use crate::support::messaging::Broker;
            $(#[test] fn $test() { super::$test(&Broker::file()); })+
        }

        mod jetstream {
            use crate::support::messaging::Broker;
            $(#[test] fn $test() { super::$test(&Broker::jetstream()); })+
        }
    };
}

pub(crate) use on_each_broker;
