//! `messages move` and `messages remove-consumer`: changes to a consumer that would skip or repeat messages, which subscriptions may
//! not make.

use std::io::Write;

use tempo_messaging::{adoption, printable};

use super::select::PersistentBroker;
use crate::ConsumerMove;

/// Moves `consumer`, and prints the effect on its messages.
pub(super) async fn run(
    broker: &PersistentBroker,
    consumer: &str,
    change: &ConsumerMove,
    output: &mut (dyn Write + Send),
) -> anyhow::Result<()> {
    let moved = broker.operator()?.move_consumer(consumer, change).await.map_err(|error| broker.explain(&error))?;
    let (before, now) = (adoption::list(&moved.before), adoption::list(&moved.now.topics));
    let skipped = moved.skipped.map_or_else(|| "some".to_owned(), |count| count.to_string());
    let (old, name) = (printable::line(consumer), printable::line(&moved.now.name));
    writeln!(output, "moved {old}: topics {before}, {skipped} skipped")?;
    writeln!(output, "now {name}: topics {now}, {} pending, {} in flight", moved.now.pending, moved.now.in_flight)?;
    Ok(())
}

/// Removes `consumer`, and prints its last state.
pub(super) async fn remove(
    broker: &PersistentBroker,
    consumer: &str,
    output: &mut (dyn Write + Send),
) -> anyhow::Result<()> {
    let last = broker.operator()?.remove_consumer(consumer).await.map_err(|error| broker.explain(&error))?;
    let (name, topics) = (printable::line(&last.name), adoption::list(&last.topics));
    writeln!(output, "removed {name}: topics {topics}, {} pending, {} in flight", last.pending, last.in_flight)?;
    Ok(())
}
