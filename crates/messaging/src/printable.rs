//! Escapes untrusted text for the terminal.

use std::borrow::Cow;
use std::fmt::Write as _;

/// Returns whether a character affects the terminal or the text around it: a control, an invisible or a bidirectional
/// character.
pub fn is_active(character: char) -> bool {
    character.is_control()
        || matches!(character,
            '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}'
            | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// Escapes `text` to one line: active characters become `\u{1b}`.
pub fn line(text: &str) -> Cow<'_, str> {
    if !text.contains(is_active) {
        return Cow::Borrowed(text);
    }
    let mut line = String::with_capacity(text.len());
    for character in text.chars() {
        if is_active(character) {
            line.extend(character.escape_unicode());
        } else {
            line.push(character);
        }
    }
    Cow::Owned(line)
}

/// Escapes active characters in the strings of `json` as `\u001b`. JSON has none elsewhere.
pub fn json(json: &str) -> Cow<'_, str> {
    if !json.contains(is_active) {
        return Cow::Borrowed(json);
    }
    let mut escaped = String::with_capacity(json.len());
    for character in json.chars() {
        if is_active(character) {
            for unit in character.encode_utf16(&mut [0; 2]) {
                // Writing to a string cannot fail.
                let _ = write!(escaped, "\\u{unit:04x}");
            }
        } else {
            escaped.push(character);
        }
    }
    Cow::Owned(escaped)
}

/// Returns `bytes` as multi-line text if they are that. Tabs and line breaks are the only active characters in it.
pub fn lines(bytes: &[u8]) -> Option<Cow<'_, str>> {
    let text = std::str::from_utf8(bytes).ok()?;
    let text = if text.contains('\r') { Cow::Owned(text.replace("\r\n", "\n")) } else { Cow::Borrowed(text) };
    let passive = text.chars().all(|character| matches!(character, '\n' | '\t') || !is_active(character));
    passive.then_some(text)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ACTIVE: [char; 9] = ['\x1b', '\x07', '\x7f', '\u{9b}', '\r', '\u{202e}', '\u{2066}', '\u{200b}', '\u{e0041}'];

    #[test]
    fn orders_to_a_terminal_do_not_get_through() {
        for character in ACTIVE {
            let text = format!("a{character}b");
            assert_eq!(line(&text), format!("a\\u{{{:x}}}b", u32::from(character)));
            assert_eq!(lines(text.as_bytes()), None, "{text:?}");
        }
        assert_eq!(line("a\nb\tc"), "a\\u{a}b\\u{9}c");
        for text in ["", "päivää 日本 🎉", "{\"a\": [1, 2]}\n\tb"] {
            assert_eq!(lines(text.as_bytes()).as_deref(), Some(text));
        }
        assert_eq!(lines(b"a\r\nb").as_deref(), Some("a\nb"));
        assert_eq!(lines(b"a\xff"), None);
    }

    proptest! {
        #![proptest_config(ProptestConfig { rng_seed: proptest::test_runner::RngSeed::Fixed(4), ..<_>::default() })]

        #[test]
        fn json_says_the_same_without_them(text in prop::collection::vec(
            prop_oneof![any::<char>(), prop::sample::select(&ACTIVE[..])], 0..40,
        )) {
            let text: String = text.into_iter().collect();
            let plain = serde_json::to_string(&text).unwrap();
            let escaped = json(&plain);
            prop_assert!(!escaped.contains(is_active));
            prop_assert_eq!(serde_json::from_str::<String>(&escaped).unwrap(), text.clone());
            prop_assert!(!line(&text).contains(is_active));
        }
    }
}
