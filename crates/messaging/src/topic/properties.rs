//! Property tests of topics and filters, against a plain definition of matching and against arbitrary text.

use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::{RngAlgorithm, TestCaseResult, TestRng, TestRunner};

use super::*;

/// Runs `test` on `cases` values, deterministically.
fn run<S: Strategy>(cases: u32, strategy: &S, test: impl Fn(S::Value) -> TestCaseResult) {
    let config = ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() };
    let mut runner = TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha));
    runner.run(strategy, test).unwrap_or_else(|error| panic!("{error}"));
}

/// Words from a small alphabet, so that they often match.
fn words(kinds: &'static [&'static str]) -> impl Strategy<Value = String> {
    prop::collection::vec(select(kinds), 1..6).prop_map(|words| words.join("."))
}

/// Reference implementation of matching, word by word.
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

/// Coverage is exact: checked against all topics up to one word longer than the filters, with words that no filter
/// names.
#[test]
fn a_superset_misses_no_topic() {
    let filters = || {
        let filter = words(&["a", "b", "*", "*", ">"]).prop_map(|filter| {
            let end = filter.find('>').map_or(filter.len(), |place| place.saturating_add(1));
            filter.get(..end).unwrap_or_default().split('.').take(3).collect::<Vec<_>>().join(".")
        });
        prop::collection::vec(filter, 1..5)
    };
    let mut topics = vec![Vec::new()];
    let mut all: Vec<String> = Vec::new();
    for _ in 0..4 {
        let longer = |topic: &Vec<&'static str>| ["a", "b", "x"].map(|word| [topic.as_slice(), &[word]].concat());
        topics = topics.iter().flat_map(longer).collect();
        all.extend(topics.iter().map(|topic| topic.join(".")));
    }
    run(20_000, &(filters(), filters()), |(wide, narrow)| {
        let takes = |set: &[String], topic: &str| set.iter().any(|filter| matches(filter, topic));
        let missed = all.iter().find(|topic| takes(&narrow, topic) && !takes(&wide, topic));
        prop_assert_eq!(is_superset(&wide, &narrow), missed.is_none(), "{:?} {:?} {:?}", wide, narrow, missed);
        let common = common(&wide, &narrow);
        let wrong = all.iter().find(|topic| takes(&common, topic) != (takes(&wide, topic) && takes(&narrow, topic)));
        prop_assert!(wrong.is_none(), "{:?} {:?} {:?}", wide, narrow, wrong);
        Ok(())
    });
}

/// Arbitrary text never panics, and accepted text has no part with another meaning.
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
        // Must not panic.
        let _ = (matches(&text, &other), matches(&other, &text));
        Ok(())
    });
}
