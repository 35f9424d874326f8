//! Random topics and filters, against a plain definition of what a filter matches, and against nonsense.

use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::{RngAlgorithm, TestCaseResult, TestRng, TestRunner};

use super::*;

/// Runs `test` on `cases` values, the same ones each time.
fn run<S: Strategy>(cases: u32, strategy: &S, test: impl Fn(S::Value) -> TestCaseResult) {
    let config = ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() };
    let mut runner = TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha));
    runner.run(strategy, test).unwrap_or_else(|error| panic!("{error}"));
}

/// Words between dots, of few kinds, so that they often match.
fn words(kinds: &'static [&'static str]) -> impl Strategy<Value = String> {
    prop::collection::vec(select(kinds), 1..6).prop_map(|words| words.join("."))
}

/// What a filter matches, as one would say it: word by word, where `>` takes one word or more.
fn oracle(filter: &[&str], topic: &[&str]) -> bool {
    match (filter, topic) {
        ([], []) => true,
        ([">"], rest) => !rest.is_empty(),
        (["*", filter @ ..], [_, topic @ ..]) => oracle(filter, topic),
        ([wanted, filter @ ..], [word, topic @ ..]) => wanted == word && oracle(filter, topic),
        _ => false,
    }
}

#[test]
fn filters_match_what_they_say() {
    let pairs = (words(&["a", "b", "ä", "*", ">"]), words(&["a", "b", "ä", "ab"]));
    run(20_000, &pairs, |(filter, topic)| {
        let [filters, topics] = [&filter, &topic].map(|text| text.split('.').collect::<Vec<_>>());
        let is_filter = !filters[..filters.len() - 1].contains(&">");
        prop_assert_eq!(check_filter(&filter).is_ok(), is_filter, "{}", filter);
        if is_filter {
            prop_assert_eq!(matches(&filter, &topic), oracle(&filters, &topics), "{} {}", filter, topic);
        }
        Ok(())
    });
}

/// Anything may be asked, and what is accepted has no part that could be mistaken for something else.
#[test]
fn nonsense_is_refused_or_harmless() {
    let odd =
        select(&[".", "*", ">", " ", "\0", "\r\n", "\u{a0}", "\u{2028}", "\u{85}", "a", "é", "..", "$", "_INBOX"][..]);
    let text = prop_oneof![
        prop::collection::vec(odd, 0..300).prop_map(|parts| parts.concat()),
        any::<String>(),
        "[a-c*>.]{0,12}",
    ];
    run(20_000, &(text.boxed(), words(&["a", "b"])), |(text, other)| {
        let (topic, filter) = (check_topic(&text), check_filter(&text));
        if topic.is_ok() {
            prop_assert!(filter.is_ok() && matches(&text, &text) && matches(">", &text));
            prop_assert!(!text.split('.').any(|word| word.is_empty() || word == "*" || word == ">"));
        }
        if filter.is_ok() {
            prop_assert!((1..=MAX_TOPIC).contains(&text.len()));
            prop_assert!(!text.contains(|character: char| character.is_control() || character.is_whitespace()));
        }
        // Whatever the answer is, there is one.
        let _ = (matches(&text, &other), matches(&other, &text));
        Ok(())
    });
}
