//! One message that is made of what a guest gave: what fits into it goes in, and the rest is counted.

use opentelemetry_proto::tonic::common::v1::KeyValue;
use prost::Message as _;

use crate::bindings::wasi::otel::types;
use crate::limits::{MAX_KEY, MAX_VALUE};
use crate::types::count;
use crate::value::{any_value, clip};

/// What precedes a part in a message: its number and its length, in bytes.
const PREFIX: usize = 4;

/// The bytes that are left of a message.
#[derive(Debug)]
pub(crate) struct Room(usize);

impl Room {
    pub(crate) fn new(bytes: usize) -> Self {
        Self(bytes)
    }

    /// Takes place for `bytes` of a part of the message, if there is as much.
    pub(crate) fn take(&mut self, bytes: usize) -> bool {
        let left = bytes.checked_add(PREFIX).and_then(|bytes| self.0.checked_sub(bytes));
        self.0 = left.unwrap_or(self.0);
        left.is_some()
    }

    /// As much of `text` as fits, and no more than `max` bytes.
    pub(crate) fn text(&mut self, text: String, max: usize) -> String {
        let text = clip(text, max.min(self.0.saturating_sub(PREFIX)));
        // It fits, or it is empty and there was no place left for its length.
        self.take(text.len());
        text
    }

    /// The first `max` attributes that are valid and fit, and how many others there were. The protocol wants each key
    /// once; of several, the last counts.
    pub(crate) fn attributes(&mut self, given: Vec<types::KeyValue>, max: usize) -> (Vec<KeyValue>, u32) {
        let mut kept: Vec<KeyValue> = Vec::with_capacity(given.len().min(max));
        // Keys are compared with each other, so what is far too much is not even looked at.
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
        // A key that is cut would be another one.
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
            let attributes = Room::new(1000).attributes(given(&pairs), max);
            assert_eq!((attributes.0.len(), attributes.1), (kept, dropped));
        }
    }

    #[test]
    fn keys_at_the_edge() {
        let [fits, edge, long] = [MAX_KEY - 1, MAX_KEY, MAX_KEY + 1].map(|length| "k".repeat(length));
        let (kept, dropped) =
            Room::new(10_000).attributes(given(&[(&fits, "1"), (&edge, "1"), (&long, "1"), ("", "1")]), 9);
        assert_eq!((keys(&kept), dropped), (vec![fits.as_str(), &edge], 2));
    }

    #[test]
    fn of_a_key_that_is_there_twice_the_last_counts() {
        let (kept, dropped) = Room::new(1000).attributes(given(&[("a", "1"), ("b", "2"), ("a", "3"), ("c", "4")]), 2);
        assert_eq!((keys(&kept), dropped), (vec!["a", "b"], 1));
        assert_eq!(kept[0].value, any_value("3".to_owned(), 9));
    }

    #[test]
    fn what_is_far_too_much_is_counted() {
        let given = (0..1_000_000).map(|n| types::KeyValue { key: n.to_string(), value: String::new() }).collect();
        let (kept, dropped) = Room::new(100_000).attributes(given, 128);
        assert_eq!((kept.len(), dropped), (128, 999_872));
    }

    #[test]
    fn the_room_at_its_edge() {
        let one = || given(&[("k", "1")]);
        let size = Room::new(100).attributes(one(), 1).0[0].encoded_len() + PREFIX;
        for (room, kept) in [(size + 1, 1), (size, 1), (size - 1, 0)] {
            let attributes = Room::new(room).attributes(one(), 1);
            assert_eq!((attributes.0.len(), attributes.1), (kept, 1 - u32::try_from(kept).unwrap()));
        }
    }

    #[test]
    fn texts_are_cut_where_the_room_ends() {
        let mut room = Room::new(13);
        assert_eq!(room.text("abcdef".to_owned(), 3), "abc");
        assert_eq!(room.text("abcdef".to_owned(), 9), "ab");
        assert_eq!(room.text("abcdef".to_owned(), 9), "");
        assert!(!room.take(0));
    }
}
