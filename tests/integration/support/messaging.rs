//! The brokers that every test of messaging runs on. `on_each_broker!` makes one test of a function for each that keeps
//! messages.

use std::net::SocketAddr;

use serde_json::Value;
use tempfile::TempDir;

use super::nats::Nats;
use super::{Client, Run, Server, eventually};

/// Up to three deliveries, which follow each other soon.
pub(crate) const SOON: &str = "check.>;backoff=200ms;max-deliver=3";

/// A broker, and a keyvalue store beside it, which are there as long as this is, whatever runtimes come and go.
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

    /// NATS without a stream: what nobody takes at once is gone.
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

    /// The same with a subscription.
    pub(crate) fn serve(&self, guest: &str, subscription: &str) -> Server {
        self.run(guest).args(["--subscribe", subscription]).serve()
    }

    /// `tempo-worker run` of the guest that handles messages and nothing else.
    pub(crate) fn worker(&self, subscription: &str) -> Run {
        self.with(Run::worker("messaging-worker")).args(["--subscribe", subscription])
    }
}

/// Has the conformance guest publish: `query` names the topic, and what is to be done with the message.
#[track_caller]
pub(crate) fn publish(address: SocketAddr, query: &str, payload: &str) {
    let response = Client::connect(address).post(&format!("/publish?{query}"), payload);
    assert_eq!((response.status, response.text().as_str()), (200, "accepted\n"), "{query}");
}

/// Has the conformance guest publish many.
#[track_caller]
pub(crate) fn publish_many(address: SocketAddr, count: usize, query: &str) {
    let response = Client::connect(address).post(&format!("/publish-many?count={count}&{query}"), "");
    assert_eq!((response.status, response.text()), (200, format!("{count}\n")), "{query}");
}

/// What the conformance guest saw on a topic, in that order.
pub(crate) fn seen(address: SocketAddr, topic: &str) -> Vec<Value> {
    let response = super::get(address, &format!("/seen?topic={topic}"));
    assert_eq!(response.status, 200, "{}", response.text());
    response.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The same, once there are that many.
pub(crate) fn wait_seen(address: SocketAddr, topic: &str, least: usize) -> Vec<Value> {
    eventually(&format!("{least} deliveries on {topic}"), || {
        Some(seen(address, topic)).filter(|seen| seen.len() >= least)
    })
}

/// How many messages the conformance guest has handled to the end.
pub(crate) fn done(address: SocketAddr, topic: &str) -> usize {
    super::get(address, &format!("/done?topic={topic}")).text().trim().parse().unwrap()
}

/// Waits until the conformance guest has handled that many to the end.
pub(crate) fn wait_done(address: SocketAddr, topic: &str, least: usize) {
    eventually(&format!("{least} messages handled on {topic}"), || (done(address, topic) >= least).then_some(()));
}

/// How often each was delivered.
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
