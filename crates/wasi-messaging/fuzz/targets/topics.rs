//! Fuzzes the matching of topics against a slower matcher, which is written from the definition.
#![no_main]

use libfuzzer_sys::fuzz_target;

// The source itself, so that the fuzzer compiles in seconds and needs no wasmtime.
#[allow(dead_code, reason = "shared with the crate, which uses all of it")]
#[path = "../../src/topic.rs"]
mod topic;

fuzz_target!(|texts: (&str, &str)| {
    let (filter, topic) = texts;
    let allowed = (topic::check_filter(filter).is_ok(), topic::check_topic(topic).is_ok());
    let found = topic::matches(filter, topic);
    if allowed == (true, true) {
        let (filter_words, words): (Vec<_>, Vec<_>) = (filter.split('.').collect(), topic.split('.').collect());
        assert_eq!(found, matches_by_definition(&filter_words, &words), "{filter:?} {topic:?}");
        assert!(topic::matches(topic, topic) && topic::matches(">", topic));
        assert!(topic::check_filter(topic).is_ok(), "every topic is a filter");
    }
    if allowed.1 {
        assert!(!topic.chars().any(|character| character.is_whitespace() || character.is_control()));
        assert!(!topic.split('.').any(|word| matches!(word, "" | "*" | ">")) && topic.len() <= topic::MAX_TOPIC);
    }
});

fn matches_by_definition(filter: &[&str], topic: &[&str]) -> bool {
    match (filter, topic) {
        ([], []) => true,
        ([">"], rest) => !rest.is_empty(),
        ([wanted, filter @ ..], [word, topic @ ..]) => {
            (*wanted == "*" || wanted == word) && matches_by_definition(filter, topic)
        }
        _ => false,
    }
}
