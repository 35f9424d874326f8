//! Property tests: accepted messages survive a line protocol unchanged; no guest text can start a line.

use std::cell::Cell;

use proptest::prelude::*;
use proptest::test_runner::{RngAlgorithm, TestCaseError, TestRng, TestRunner};
use tempo_core::Limits;

use crate::{Message, MessagingLimits};

/// Text fragments, mostly hostile.
const PIECES: [&str; 24] = [
    "a",
    "B",
    "7",
    "-",
    ".",
    ":",
    " ",
    "\t",
    "\r",
    "\n",
    "\r\n",
    "\0",
    "\u{7f}",
    "\u{85}",
    "\u{a0}",
    "\u{2028}",
    "ü",
    "🔑",
    "nats-",
    "Nats-Msg-Id",
    "TEMPO-",
    "Content-Type",
    ">",
    "$",
];
const CASES: u32 = 3_000;

fn text() -> impl Strategy<Value = String> {
    prop::collection::vec(prop::sample::select(&PIECES[..]), 0..4).prop_map(|pieces| pieces.concat())
}

/// Checks accepted messages, deterministically, and that enough are accepted.
fn let_through(messages: impl Strategy<Value = Message>, look: impl Fn(Message) -> Result<(), TestCaseError>) {
    let config = ProptestConfig { cases: CASES, failure_persistence: None, ..ProptestConfig::default() };
    let mut runner = TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha));
    let limits = MessagingLimits::new(&Limits::default());
    let allowed = Cell::new(0);
    let result = runner.run(&messages, |mut message| match super::message(&limits, &mut message) {
        Ok(()) => {
            allowed.set(allowed.get() + 1);
            look(message)
        }
        Err(_) => Ok(()),
    });
    result.unwrap_or_else(|error| panic!("{error}"));
    assert!(allowed.get() > CASES / 50, "only {} of {CASES} were let through", allowed.get());
}

/// Writes the headers as lines, and parses them leniently: any line break counts, and values are trimmed.
fn written_and_read(headers: &[(String, String)]) -> Vec<(String, String)> {
    let written: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let lines = written.split(['\r', '\n', '\u{85}']).filter(|line| !line.is_empty());
    lines.filter_map(|line| line.split_once(':')).map(|(name, value)| (name.into(), value.trim().into())).collect()
}

#[test]
fn headers_stay_what_they_are() {
    let header = (text(), text(), prop::option::of(text()), prop::option::of(text()));
    let messages = header.prop_map(|(name, value, key, content_type)| {
        let message = Message::new("t", "").with_headers(vec![(name, value)]);
        message.with_key(key).with_content_type(content_type)
    });
    let_through(messages, |message| {
        let mut headers = message.headers;
        let own = [("Tempo-Key", message.key), ("Content-Type", message.content_type)];
        headers.extend(own.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))));
        prop_assert_eq!(written_and_read(&headers), headers.clone());
        for (index, (name, _)) in headers.iter().enumerate() {
            let same = headers.iter().position(|(other, _)| other.eq_ignore_ascii_case(name));
            prop_assert_eq!(same, Some(index), "{} stands for another", name);
        }
        Ok(())
    });
}

#[test]
fn topics_stay_what_they_are() {
    let topics = (text(), prop::option::of(text()));
    let messages = topics.prop_map(|(topic, reply_to)| Message::new(topic, "").with_reply_to(reply_to));
    let_through(messages, |message| {
        for topic in [Some(message.topic), message.reply_to].into_iter().flatten() {
            prop_assert!(!topic.contains(|c: char| c.is_whitespace() || c.is_control()), "{:?}", topic);
            prop_assert!(!topic.starts_with('$'), "{:?}", topic);
            prop_assert!(topic.split('.').all(|word| !matches!(word, "" | "*" | ">")), "{:?}", topic);
        }
        Ok(())
    });
}
