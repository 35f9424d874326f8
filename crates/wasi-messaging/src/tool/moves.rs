//! `messages move`: changes to a consumer that would skip or repeat messages, which subscriptions may not make.

use std::io::Write;

use tempo_core::ToolInvocation;
use tempo_messaging::{adoption, printable};
use tempo_settings::{Error, ErrorKind};

use super::select::PersistentBroker;
use super::{CONSUMER, START, TO, TOPICS};
use crate::{ConsumerMove, Start, consumer, topic};

/// Parses the consumer and its changes.
///
/// # Errors
///
/// A value is missing or invalid.
pub(super) fn read(invocation: &ToolInvocation) -> Result<(String, ConsumerMove), Error> {
    let usage = |message: String| Error::new(ErrorKind::Usage, message);
    let consumer = invocation.get::<String>(&CONSUMER)?;
    let consumer = consumer.ok_or_else(|| usage("move: which consumer? See `messages list`".to_owned()))?;
    let topics = invocation.get::<String>(&TOPICS)?.map(|text| text.split(',').map(str::to_owned).collect::<Vec<_>>());
    if let Some(error) = topics.iter().flatten().find_map(|filter| topic::check_filter(filter).err()) {
        return Err(usage(format!("--topics: this is no topic: {error}")));
    }
    let start = match invocation.get::<String>(&START)?.as_deref() {
        None => None,
        Some("all") => Some(Start::All),
        Some("new") => Some(Start::New),
        Some(text) => {
            let sequence =
                text.parse().map_err(|_| usage("--start: expected all, new or a whole number".to_owned()))?;
            Some(Start::Sequence(sequence))
        }
    };
    let name = invocation.get::<String>(&TO)?;
    if name.as_ref().is_some_and(|name| !consumer::is_name(name)) {
        return Err(usage("--to: expected 1 to 64 letters, digits, `-` and `_`".to_owned()));
    }
    Ok((consumer, ConsumerMove { topics, start, name }))
}

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

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(options: &[(&tempo_core::Argument, &str)]) -> Result<(String, ConsumerMove), String> {
        let invocation = options
            .iter()
            .fold(ToolInvocation::new("move"), |invocation, (argument, text)| invocation.with(argument, *text));
        read(&invocation).map_err(|error| error.to_string())
    }

    #[test]
    fn a_move_is_read() {
        let change = |options: &[_]| parse(&[&[(&CONSUMER, "app")], options].concat()).map(|(_, change)| change);
        assert_eq!(parse(&[(&CONSUMER, "app")]), Ok(("app".to_owned(), ConsumerMove::default())));
        let topics = Some(vec!["a.>".to_owned(), "b".to_owned()]);
        let all = ConsumerMove { topics, start: Some(Start::Sequence(7)), name: Some("own".to_owned()) };
        assert_eq!(change(&[(&TOPICS, "a.>,b"), (&START, "7"), (&TO, "own")]), Ok(all));
        for (text, start) in [("all", Start::All), ("new", Start::New), ("0", Start::Sequence(0))] {
            assert_eq!(change(&[(&START, text)]).unwrap().start, Some(start));
        }
        for (option, error) in [
            ((&TOPICS, ""), "--topics: this is no topic: it must have 1 to 255 bytes"),
            ((&TOPICS, "a,b..c"), "--topics: this is no topic: a word between dots is empty"),
            ((&START, "-1"), "--start: expected all, new or a whole number"),
            ((&TO, "a.b"), "--to: expected 1 to 64 letters, digits, `-` and `_`"),
        ] {
            assert_eq!(change(&[option]).unwrap_err(), error);
        }
        assert_eq!(parse(&[]).unwrap_err(), "move: which consumer? See `messages list`");
    }
}
