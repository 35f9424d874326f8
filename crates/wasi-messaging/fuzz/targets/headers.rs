//! Fuzzes the validation of guest messages: accepted messages survive a line protocol unchanged, and set no header of a
//! server or of Tempo.
#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;

// The sources themselves, so that the fuzzer compiles in seconds and needs no wasmtime.
#[path = "../../src/check.rs"]
mod check;
#[path = "../../src/error.rs"]
mod error;
#[path = "../../src/message.rs"]
mod message;
#[allow(dead_code, reason = "shared with the crate, which uses all of it")]
#[path = "../../src/topic.rs"]
mod topic;

pub use error::{Error, ErrorKind, Result};
pub use message::{MESSAGE_ID, Message};

/// Of the limits, those that are checked, and smaller ones, so that they are met.
pub struct MessagingLimits {
    payload: usize,
    headers: usize,
    header_bytes: usize,
}

const LIMITS: MessagingLimits = MessagingLimits { payload: 64, headers: 8, header_bytes: 512 };

type Parts<'a> = (&'a str, Option<&'a str>, Option<&'a str>, Option<&'a str>, Vec<(&'a str, &'a str)>, &'a [u8]);

fuzz_target!(|parts: Parts<'_>| {
    let (topic, key, content_type, reply_to, headers, payload) = parts;
    let owned = |text: Option<&str>| text.map(str::to_owned);
    let mut message = Message::new(topic, Bytes::copy_from_slice(payload)).with_key(owned(key)).with_content_type(owned(content_type)).with_headers(headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()).with_reply_to(owned(reply_to));
    if check::message(&LIMITS, &mut message).is_err() {
        return;
    }
    assert!(message.payload.len() <= LIMITS.payload && message.headers.len() <= LIMITS.headers);
    for subject in [Some(&message.topic), message.reply_to.as_ref()].into_iter().flatten() {
        assert!(topic::check_topic(subject).is_ok() && !subject.starts_with('$'), "{subject:?}");
    }
    let mut all = message.headers.clone();
    for (name, _) in &all {
        let lower = name.to_ascii_lowercase();
        let own = lower.starts_with("nats-") || lower.starts_with("tempo-") || lower == "content-type";
        assert!(!own || name == MESSAGE_ID, "{name:?}");
    }
    let own = [("Tempo-Key", &message.key), ("Content-Type", &message.content_type)];
    all.extend(own.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value.clone()?))));
    let written: String = all.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let lines = written.split(['\r', '\n', '\u{85}']).filter(|line| !line.is_empty());
    let read: Vec<(String, String)> = lines
        .map(|line| line.split_once(':').expect("every line is a header"))
        .map(|(name, value)| (name.to_owned(), value.trim().to_owned()))
        .collect();
    assert_eq!(read, all);
});
