//! Human-readable output of `messages`.

use std::fmt::Write as _;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tempo_messaging::{adoption, printable};

use crate::{DeadLetter, Message, StreamInfo};

/// Maximum shown bytes of a payload.
const SHOWN: usize = 1024;

/// The last second with a year of four digits, from the epoch.
const LAST: Duration = Duration::from_secs(253_402_300_799);

/// Formats a time by RFC 3339, to the second.
pub(super) fn time(time: SystemTime) -> String {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default().min(LAST);
    humantime::format_rfc3339_seconds(UNIX_EPOCH.checked_add(since).unwrap_or(UNIX_EPOCH)).to_string()
}

fn counted(count: u64, what: &str) -> String {
    if count == 1 { format!("1 {what}") } else { format!("{count} {what}s") }
}

/// Formats a broker without storage.
pub(super) fn no_stream(broker: &str) -> String {
    format!("{}: keeps nothing that could be shown", printable::line(broker))
}

/// Formats a stream and a table of its consumers.
pub(super) fn stream(broker: &str, info: &StreamInfo) -> String {
    let StreamInfo { name, messages, dead_letters, consumers, .. } = info;
    let (broker, name) = (printable::line(broker), printable::line(name));
    let (messages, letters) = (counted(*messages, "message"), counted(*dead_letters, "dead letter"));
    let mut text = format!("{broker}: stream {name}, {messages}, {letters}\n");
    if consumers.is_empty() {
        text.push_str("  no consumers\n");
        return text;
    }
    let names: Vec<_> = consumers.iter().map(|consumer| printable::line(&consumer.name)).collect();
    let width = names.iter().map(|name| name.chars().count()).max().unwrap_or(0).max("consumer".len());
    // Writing to a string cannot fail.
    let _ = writeln!(
        text,
        "  {:width$}  {:>10}  {:>10}  {:>11}  topics",
        "consumer", "pending", "in flight", "redelivered"
    );
    for (name, consumer) in names.iter().zip(consumers) {
        let (pending, in_flight, redelivered) = (consumer.pending, consumer.in_flight, consumer.redelivered);
        let topics = adoption::list(&consumer.topics);
        let _ = writeln!(text, "  {name:width$}  {pending:>10}  {in_flight:>10}  {redelivered:>11}  {topics}");
    }
    text
}

/// Formats a dead letter with the start of its payload.
pub(super) fn letter(letter: &DeadLetter) -> String {
    let DeadLetter { sequence, message, reason, consumer, attempts, timestamp, .. } = letter;
    let line = printable::line;
    let mut text = format!("dead letter {sequence}\n");
    let mut row = |name: &str, value: &str| {
        let _ = writeln!(text, "  {name:<12}  {value}");
    };
    row("topic", &line(&message.topic));
    let attempts = counted(u64::from(*attempts), "attempt");
    row("given up", &format!("{} by {} after {attempts}", time(*timestamp), line(consumer)));
    row("reason", &line(reason));
    let parts = [("key", &message.key), ("content type", &message.content_type), ("reply to", &message.reply_to)];
    for (name, value) in parts {
        value.iter().for_each(|value| row(name, &line(value)));
    }
    for (name, value) in &message.headers {
        row("header", &format!("{}: {}", line(name), line(value)));
    }
    payload(&mut text, message);
    text
}

fn payload(text: &mut String, message: &Message) {
    let bytes = message.payload.as_ref();
    let size = counted(u64::try_from(bytes.len()).unwrap_or(u64::MAX), "byte");
    let (form, shown) = match printable::lines(bytes) {
        Some(content) => {
            let end = content.floor_char_boundary(SHOWN);
            ("", content.get(..end).unwrap_or_default().to_owned())
        }
        None => (", base64", STANDARD.encode(bytes.get(..SHOWN).unwrap_or(bytes))),
    };
    let cut = if bytes.len() > SHOWN { format!("; the first {SHOWN}, all of it with --json") } else { String::new() };
    let _ = writeln!(text, "  {:<12}  {size}{form}{cut}", "payload");
    for line in shown.lines() {
        let _ = writeln!(text, "    {line}");
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_time_beyond_the_calendar_is_its_end() {
        let far = SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(1 << 40)).unwrap();
        assert_eq!(time(far), "9999-12-31T23:59:59Z");
        let before = SystemTime::UNIX_EPOCH.checked_sub(Duration::from_secs(1)).unwrap();
        assert_eq!(time(before), "1970-01-01T00:00:00Z");
    }
}
