//! Splits an input into texts, and checks messages of errors.

use std::borrow::Cow;

/// Separates the texts of an input. It occurs in no UTF-8, so a text can contain any character.
pub(crate) const SEPARATOR: u8 = 0xff;

/// Returns the first `N` texts of an input; missing ones are empty.
pub(crate) fn texts<const N: usize>(data: &[u8]) -> [Cow<'_, str>; N] {
    let mut parts = all_texts(data);
    std::array::from_fn(|_| parts.next().unwrap_or_default())
}

/// Iterates over all texts of an input.
pub(crate) fn all_texts(data: &[u8]) -> impl Iterator<Item = Cow<'_, str>> {
    data.split(|byte| *byte == SEPARATOR).map(String::from_utf8_lossy)
}

/// Returns an input of `texts`.
pub(crate) fn seed(texts: &[&str]) -> Vec<u8> {
    texts.iter().map(|text| text.as_bytes()).collect::<Vec<_>>().join(&SEPARATOR)
}

/// Asserts that the message of an error has a text, and only one line.
pub(crate) fn check_message(message: &str) {
    assert!(!message.trim().is_empty(), "an error has no message");
    assert!(!message.chars().any(char::is_control), "the message of an error has control characters: {message:?}");
}
