//! Escapes guest text for log lines.

use std::borrow::Cow;
use std::fmt::Write as _;

/// Escapes `text` to at most `max` bytes: characters that end a line, control a terminal or change the text direction.
/// Returns whether text was left out. Escapes are never cut.
pub fn escape(text: &str, max: usize) -> (Cow<'_, str>, bool) {
    // Text beyond `max` bytes cannot appear in the result, so long texts cost no more than short ones.
    let end = text.floor_char_boundary(max);
    let head = text.get(..end).unwrap_or_default();
    let clipped = head.len() < text.len();
    if !head.chars().any(must_escape) {
        return (Cow::Borrowed(head), clipped);
    }
    let mut escaped = String::with_capacity(max);
    for character in head.chars() {
        let before = escaped.len();
        push(&mut escaped, character);
        if escaped.len() > max {
            escaped.truncate(before);
            return (Cow::Owned(escaped), true);
        }
    }
    (Cow::Owned(escaped), clipped)
}

fn push(escaped: &mut String, character: char) {
    if must_escape(character) {
        // `escape_debug` keeps some of them; `escape_default` has short forms for these two only.
        match character {
            '\n' | '\r' => escaped.extend(character.escape_default()),
            // Writing to a `String` cannot fail.
            other => drop(write!(escaped, "\\u{{{:x}}}", u32::from(other))),
        }
    } else {
        escaped.push(character);
    }
}

fn must_escape(character: char) -> bool {
    matches!(character,
        // Line and paragraph separators, and bidirectional controls.
        '\u{2028}' | '\u{2029}' | '\u{200e}' | '\u{200f}' | '\u{061c}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
        || (character.is_control() && character != '\t')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn escaped(text: &str) -> String {
        escape(text, 1000).0.into_owned()
    }

    #[test]
    fn plain_text_is_left_alone() {
        for text in ["", "hello", r#"C:\new "quoted" {"a":1}"#, "Grüße, 世界 🦀"] {
            assert!(matches!(escape(text, 1000), (Cow::Borrowed(same), false) if same == text));
        }
    }

    #[test]
    fn what_could_forge_a_line_is_escaped() {
        assert_eq!(escaped("a\nERROR b\r\n\tc"), "a\\nERROR b\\r\\n\tc");
        assert_eq!(escaped("\x1b[2J\x07\x00\x7f"), r"\u{1b}[2J\u{7}\u{0}\u{7f}");
        assert_eq!(escaped("\u{85}\u{9b}31m\u{2028}\u{202e}txt"), r"\u{85}\u{9b}31m\u{2028}\u{202e}txt");
    }

    #[test]
    fn lengths_at_the_edge() {
        assert_eq!(escape("abc", 4), (Cow::Borrowed("abc"), false));
        assert_eq!(escape("abcd", 4), (Cow::Borrowed("abcd"), false));
        assert_eq!(escape("abcde", 4), (Cow::Borrowed("abcd"), true));
        assert_eq!(escape("abcé", 4), (Cow::Borrowed("abc"), true));
    }

    #[test]
    fn what_is_escaped_still_fits_and_is_whole() {
        assert_eq!(escape("ab\n", 4), (Cow::Owned::<str>(r"ab\n".into()), false));
        assert_eq!(escape("abc\n", 4), (Cow::Owned::<str>("abc".into()), true));
        assert_eq!(escape("\u{1b}\u{1b}", 6), (Cow::Owned::<str>(r"\u{1b}".into()), true));
        let all = "\u{1b}".repeat(10_000);
        assert!(escape(&all, 8192).0.len() <= 8192);
    }
}
