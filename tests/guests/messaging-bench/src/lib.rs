//! Measures messaging operations of a component: `publish|request COUNT AT_ONCE` prints the seconds for COUNT of them,
//! AT_ONCE concurrently. The native counterpart is `tests/src/bin/native-messaging`: keep the two alike. The guest
//! `test-messaging-handler` handles the messages.

use std::time::Duration;

use futures::StreamExt as _;
use futures::stream;
use tempo_sdk_messaging::{Error, Message, publish_many};
use wasip3::cli::environment;
use wasip3::clocks::monotonic_clock;
use wasip3::exports::cli::run::Guest;

/// The size of a message, in bytes.
const SIZE: usize = 256;

struct Command;

wasip3::cli::command::export!(Command);

impl Guest for Command {
    async fn run() -> Result<(), ()> {
        let arguments = environment::get_arguments();
        let number = |index: usize| arguments.get(index).and_then(|text| text.parse::<usize>().ok());
        let (Some(operation), Some(count), Some(at_once)) = (arguments.get(1), number(2), number(3)) else {
            eprintln!("expected publish|request COUNT AT_ONCE");
            return Err(());
        };
        let started = monotonic_clock::now();
        let done = if operation == "publish" { publish(count, at_once).await } else { request(count, at_once).await };
        done.map_err(|error| eprintln!("{error}"))?;
        println!("{}", monotonic_clock::now().saturating_sub(started) as f64 / 1e9);
        Ok(())
    }
}

async fn publish(count: usize, at_once: usize) -> Result<(), Error> {
    for _ in 0..count / at_once {
        let messages = (0..at_once).map(|_| Message::new("bench.publish").bytes(vec![b'.'; SIZE]));
        for result in publish_many(messages).await {
            result?;
        }
    }
    Ok(())
}

async fn request(count: usize, at_once: usize) -> Result<(), Error> {
    let requests = stream::iter(0..count).map(|_| {
        let question = Message::new("bench.request").bytes(vec![b'.'; SIZE]);
        question.request(Duration::from_secs(5))
    });
    let mut requests = requests.buffer_unordered(at_once);
    while let Some(answer) = requests.next().await {
        assert_eq!(answer?.bytes().len(), SIZE);
    }
    Ok(())
}
