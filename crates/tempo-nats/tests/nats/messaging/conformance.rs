//! Both brokers pass the suite that every broker must pass.

use std::sync::Arc;

use tempo_backend::{BackendContext, BackendScheme as _};
use tempo_messaging::{Broker, testkit::Guarantees, testkit::run};
use tempo_nats::NatsMessaging;
use tempo_settings::{BackendUrl, FlagValue as _, Settings};

use crate::support::Server;

/// Runs the suite on brokers; `rest` maps a word to the end of the URL.
async fn conforms(server: &Server, rest: fn(&str) -> String, guarantees: Guarantees) {
    let port = server.port;
    let open = |word: String| async move {
        let url = format!("nats://127.0.0.1:{port}{}", rest(&word));
        let settings = Settings::default();
        let context = BackendContext::new(&settings);
        let broker: Arc<dyn Broker> = NatsMessaging::open(&BackendUrl::parse(&url).unwrap(), context).await?;
        Ok(broker)
    };
    run(open, guarantees).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream() {
    let server = Server::start();
    let guarantees = Guarantees {
        // It is all keys that are in one order.
        lanes: false,
        // A consumer keeps its position.
        rematches: false,
        // The stream stores the request, with or without a responder.
        no_responders: false,
        ..Guarantees::ALL
    };
    conforms(&server, |word| format!("/{word}?subjects={word}.>"), guarantees).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nats_itself() {
    let server = Server::with("");
    let guarantees = Guarantees { merges: true, no_responders: true, ..Guarantees::NONE };
    conforms(&server, |_| String::new(), guarantees).await;
}
