//! `MessageBudget`: the size budget of one encoded message. Parts beyond it are dropped and counted.

use opentelemetry_proto::tonic::common::v1::KeyValue;
use prost::Message as _;

use crate::bindings::wasi::otel::types;
use crate::limits::{MAX_KEY, MAX_VALUE};
use crate::types::count;
use crate::value::{any_value, clip};

/// Size of a part's tag and length, in bytes.
const FIELD_PREFIX_BYTES: usize = 4;

/// The remaining bytes of a message.
#[derive(Debug)]
pub(crate) struct MessageBudget(usize);

impl MessageBudget {
    pub(crate) fn new(bytes: usize) -> Self {
        Self(bytes)
    }

    /// Takes `bytes` for a part of the message. Returns false if they exceed the budget.
    pub(crate) fn take(&mut self, bytes: usize) -> bool {
        let left = bytes.checked_add(FIELD_PREFIX_BYTES).and_then(|bytes| self.0.checked_sub(bytes));
        self.0 = left.unwrap_or(self.0);
        left.is_some()
    }

    /// Truncates `text` to the budget, and to `max` bytes.
    pub(crate) fn text(&mut self, text: String, max: usize) -> String {
        let text = clip(text, max.min(self.0.saturating_sub(FIELD_PREFIX_BYTES)));
        // Fits, or is empty without room for its length.
        self.take(text.len());
        text
    }

    /// Returns the first `max` valid attributes within the budget, and the number of the others. The last value of a
    /// duplicate key wins, as keys must be unique.
    pub(crate) fn attributes(&mut self, given: Vec<types::KeyValue>, max: usize) -> (Vec<KeyValue>, u32) {
        let mut kept: Vec<KeyValue> = Vec::with_capacity(given.len().min(max));
        // Keys are compared with each other, so attributes far beyond the limit are not read.
        let looked_at = max.saturating_mul(2);
        let mut dropped = count(given.len().saturating_sub(looked_at));
        for types::KeyValue { key, value } in given.into_iter().take(looked_at) {
            let same = kept.iter().position(|kept| kept.key == key);
            let attribute = if same.is_some() || kept.len() < max { self.attribute(key, value) } else { None };
            match (attribute, same.and_then(|same| kept.get_mut(same))) {
                (Some(attribute), Some(same)) => *same = attribute,
                (Some(attribute), None) => kept.push(attribute),
                (None, _) => dropped = dropped.saturating_add(1),
            }
        }
        (kept, dropped)
    }

    fn attribute(&mut self, key: String, value: String) -> Option<KeyValue> {
        // A truncated key would be another key.
        if key.is_empty() || key.len() > MAX_KEY {
            return None;
        }
        let attribute = KeyValue { key, value: Some(any_value(value, MAX_VALUE)?), key_strindex: 0 };
        self.take(attribute.encoded_len()).then_some(attribute)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given(pairs: &[(&str, &str)]) -> Vec<types::KeyValue> {
        pairs
            .iter()
            .map(|(key, value)| types::KeyValue { key: (*key).to_owned(), value: (*value).to_owned() })
            .collect()
    }

    fn keys(attributes: &[KeyValue]) -> Vec<&str> {
        attributes.iter().map(|attribute| attribute.key.as_str()).collect()
    }

    #[test]
    fn counts_at_the_edge() {
        let pairs = [("a", "1"), ("b", "2"), ("c", "3")];
        for (max, kept, dropped) in [(4, 3, 0), (3, 3, 0), (2, 2, 1)] {
            let attributes = MessageBudget::new(1000).attributes(given(&pairs), max);
            assert_eq!((attributes.0.len(), attributes.1), (kept, dropped));
        }
    }

    #[test]
    fn keys_at_the_edge() {
        let [fits, edge, long] = [MAX_KEY - 1, MAX_KEY, MAX_KEY + 1].map(|length| "k".repeat(length));
        let (kept, dropped) =
            MessageBudget::new(10_000).attributes(given(&[(&fits, "1"), (&edge, "1"), (&long, "1"), ("", "1")]), 9);
        assert_eq!((keys(&kept), dropped), (vec![fits.as_str(), &edge], 2));
    }

    #[test]
    fn of_a_key_that_is_there_twice_the_last_counts() {
        let (kept, dropped) =
            MessageBudget::new(1000).attributes(given(&[("a", "1"), ("b", "2"), ("a", "3"), ("c", "4")]), 2);
        assert_eq!((keys(&kept), dropped), (vec!["a", "b"], 1));
        assert_eq!(kept[0].value, any_value("3".to_owned(), 9));
    }

    #[test]
    fn what_is_far_too_much_is_counted() {
        let given = (0..1_000_000).map(|n| types::KeyValue { key: n.to_string(), value: String::new() }).collect();
        let (kept, dropped) = MessageBudget::new(100_000).attributes(given, 128);
        assert_eq!((kept.len(), dropped), (128, 999_872));
    }

    #[test]
    fn the_budget_at_its_edge() {
        let one = || given(&[("k", "1")]);
        let size = MessageBudget::new(100).attributes(one(), 1).0[0].encoded_len() + FIELD_PREFIX_BYTES;
        for (budget, kept) in [(size + 1, 1), (size, 1), (size - 1, 0)] {
            let attributes = MessageBudget::new(budget).attributes(one(), 1);
            assert_eq!((attributes.0.len(), attributes.1), (kept, 1 - u32::try_from(kept).unwrap()));
        }
    }

    #[test]
    fn texts_are_truncated_to_the_budget() {
        let mut budget = MessageBudget::new(13);
        assert_eq!(budget.text("abcdef".to_owned(), 3), "abc");
        assert_eq!(budget.text("abcdef".to_owned(), 9), "ab");
        assert_eq!(budget.text("abcdef".to_owned(), 9), "");
        assert!(!budget.take(0));
    }
}
