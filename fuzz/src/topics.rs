//! Topics and filters of messages, compared with a slower matcher that is written from the definition.

use tempo_messaging::topic::{
    MAX_TOPIC, check_filter, check_topic, common, covers, intersection, is_superset, matches, overlap, prune,
};

use crate::input::{check_message, texts};
use crate::{Outcome, Target};

/// The target.
pub const TARGET: Target = Target {
    name: "topics",
    run,
    seeds,
    tokens: &[
        ".",
        "*",
        ">",
        "a",
        "b",
        "ä",
        "..",
        ".*",
        ".>",
        " ",
        "\0",
        "\u{a0}",
        "\u{85}",
        "$",
        "_INBOX",
        "aaaaaaaaaaaaaaaa",
    ],
};

/// Checks two filters and a topic.
pub fn run(data: &[u8]) -> Outcome {
    let [one, other, topic] = texts::<3>(data);
    check_text(&topic);
    let is_found = matches(&one, &topic);
    let filters = [&one, &other];
    for error in filters.iter().filter_map(|filter| check_filter(filter).err()).chain(check_topic(&topic).err()) {
        check_message(&error.to_string());
    }
    if check_topic(&topic).is_err() || filters.iter().any(|filter| check_filter(filter).is_err()) {
        return Outcome::Refused;
    }
    assert_eq!(is_found, is_match(&one, &topic), "{one:?} {topic:?}");
    check_sets(&one, &other, &topic);
    Outcome::Accepted
}

/// An accepted topic matches itself and has no part with another meaning.
fn check_text(topic: &str) {
    if check_topic(topic).is_ok() {
        assert!(check_filter(topic).is_ok() && matches(topic, topic) && matches(">", topic), "{topic:?}");
        assert!(!topic.chars().any(|character| character.is_whitespace() || character.is_control()), "{topic:?}");
        assert!(!topic.split('.').any(|word| matches!(word, "" | "*" | ">")) && topic.len() <= MAX_TOPIC, "{topic:?}");
    }
}

/// The operations on sets of filters agree with matching.
fn check_sets(one: &str, other: &str, topic: &str) {
    let both = intersection(one, other);
    let is_in_both = matches(one, topic) && matches(other, topic);
    assert_eq!(both.as_ref().is_some_and(|both| matches(both, topic)), is_in_both, "{one} {other} {topic}");
    assert_eq!((&both, overlap(one, other)), (&intersection(other, one), both.is_some()), "{one} {other}");
    if covers(one, other) {
        assert!(!matches(other, topic) || matches(one, topic), "{one} {other} {topic}");
        assert_eq!(both.as_deref(), Some(other), "{one} covers {other}");
    }
    let [set, wide] = [vec![other.to_owned()], vec![one.to_owned(), topic.to_owned()]];
    assert!(is_superset(&set, &set) && is_superset(&wide, &[topic.to_owned()]));
    let pruned = prune(&wide);
    assert!(is_superset(&pruned, &wide) && is_superset(&wide, &pruned), "{wide:?}");
    let shared = common(&wide, &set);
    assert_eq!(
        shared.iter().any(|filter| matches(filter, topic)),
        matches(other, topic),
        "{wide:?} {set:?} {shared:?}"
    );
}

/// Matches by the definition.
fn is_match(filter: &str, topic: &str) -> bool {
    fn words(filter: &[&str], topic: &[&str]) -> bool {
        match (filter, topic) {
            ([], []) => true,
            ([">"], rest) => !rest.is_empty(),
            ([wanted, filter @ ..], [word, topic @ ..]) => (*wanted == "*" || wanted == word) && words(filter, topic),
            _ => false,
        }
    }
    let [filter, topic] = [filter, topic].map(|text| text.split('.').collect::<Vec<_>>());
    words(&filter, &topic)
}

fn seeds() -> Vec<Vec<u8>> {
    let seeds = [
        ["orders.>", "*.new", "orders.new"],
        ["a.*.c", "a.b.>", "a.b.c"],
        [">", "*", "ä"],
        ["a.b", "a.b", "_INBOX.x.1"],
    ];
    seeds.iter().map(|seed| crate::input::seed(seed)).collect()
}
