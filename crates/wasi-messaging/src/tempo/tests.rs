//! Types of `tempo:messaging`.

use std::time::{Duration, SystemTime};

use super::*;
use crate::MESSAGE_ID;
use crate::testing::message;

#[test]
fn a_message_is_the_same_on_both_sides() {
    let whole = message("orders.created", "p")
        .with_key("k".to_owned())
        .with_content_type("text/plain".to_owned())
        .with_headers(vec![("a".into(), "1".into()), (MESSAGE_ID.into(), "7".into()), ("a".into(), "2".into())])
        .with_reply_to("answers".to_owned());
    assert_eq!(Message::from(types::Message::from(whole.clone())), whole);
    assert_eq!(Message::from(types::Message::from(message("a", ""))), message("a", ""));
}

#[test]
fn a_delivery_says_when_it_was_accepted() {
    let when = UNIX_EPOCH + Duration::from_micros(1_700_000_000_123_999);
    let delivered = delivery(message("a", "p"), 3, when, Some(u64::MAX));
    assert_eq!((delivered.attempt, delivered.timestamp, delivered.sequence), (3, 1_700_000_000_123, Some(u64::MAX)));
    assert_eq!((delivered.message.topic.as_str(), delivered.message.payload.as_slice()), ("a", b"p".as_slice()));
    // A clock that is wrong makes no panic.
    let early = UNIX_EPOCH - Duration::from_secs(1);
    assert_eq!(delivery(message("a", ""), 1, early, None).timestamp, 0);
    assert!(delivery(message("a", ""), 1, SystemTime::now(), None).timestamp > 1_700_000_000_000);
}
