//! Converts names of objects to file names, and back.
//!
//! Lowercase letters, digits, `_`, `-` and `.` are kept. An uppercase letter becomes `^` and its lowercase form,
//! because some file systems ignore case; any other byte becomes `%` and two hexadecimal digits. A name that is too
//! long is truncated, and `+` with its SHA-256 is appended; the object's record has the full name.

use ring::digest::{SHA256, digest};

use crate::record::hex;

/// Maximum length of a file name, in bytes. File systems allow 255.
const MAX_FILE_NAME: usize = 240;

/// Maximum length of a truncated name, in bytes.
const MAX_HEAD: usize = 160;

/// Returns the name of the file of the object `name`.
pub(super) fn encode(name: &str) -> String {
    let mut text = String::with_capacity(name.len());
    let mut head = 0;
    for (index, byte) in name.bytes().enumerate() {
        push(&mut text, byte, index == 0);
        if text.len() <= MAX_HEAD {
            head = text.len();
        }
        if text.len() > MAX_FILE_NAME {
            text.truncate(head);
            text.push('+');
            text.push_str(&hex(digest(&SHA256, name.as_bytes()).as_ref()));
            return text;
        }
    }
    text
}

fn push(text: &mut String, byte: u8, first: bool) {
    match byte {
        // A leading dot would hide the file, or name a directory.
        b'.' if first => text.push_str("%2e"),
        b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-' | b'.' => text.push(char::from(byte)),
        b'A'..=b'Z' => text.extend(['^', char::from(byte.to_ascii_lowercase())]),
        _ => {
            text.push('%');
            text.push_str(&hex(&[byte]));
        }
    }
}

/// The object name decoded from a file name.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Decoded {
    /// The object's name.
    Whole(String),
    /// The beginning of the object's name.
    Head(Vec<u8>),
}

/// Decodes the file name `file`. `None` if it is not an encoding.
pub(super) fn decode(file: &str) -> Option<Decoded> {
    let (text, cut) = file.split_once('+').map_or((file, false), |(head, _)| (head, true));
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, tail)) = rest.split_first() {
        let (byte, tail) = match (first, tail) {
            (b'^', [letter, tail @ ..]) => (letter.to_ascii_uppercase(), tail),
            (b'%', [high, low, tail @ ..]) => (digit(*high)?.checked_mul(16)?.checked_add(digit(*low)?)?, tail),
            (byte, tail) => (*byte, tail),
        };
        bytes.push(byte);
        rest = tail;
    }
    if cut {
        return Some(Decoded::Head(bytes));
    }
    // Reject non-canonical encodings, which another program may have written.
    let name = String::from_utf8(bytes).ok()?;
    (encode(&name) == file).then_some(Decoded::Whole(name))
}

fn digit(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn names_that_would_mean_something_to_a_file_system() {
        assert_eq!(encode("report-1.txt"), "report-1.txt");
        assert_eq!(encode("."), "%2e");
        assert_eq!(encode(".."), "%2e.");
        assert_eq!(encode("../a"), "%2e.%2fa");
        assert_eq!(encode("a\0b"), "a%00b");
        assert_eq!(encode("README"), "^r^e^a^d^m^e");
        assert_eq!(encode("é+%^"), "%c3%a9%2b%25%5e");
    }

    #[test]
    fn lengths_at_the_edge() {
        for length in [239, 240] {
            let name = "n".repeat(length);
            assert_eq!(encode(&name), name);
            assert_eq!(decode(&name), Some(Decoded::Whole(name)));
        }
        let file = encode(&"n".repeat(241));
        assert!(file.starts_with(&"n".repeat(160)) && file.len() == 160 + 1 + 64, "{file}");
        assert_eq!(decode(&file), Some(Decoded::Head(vec![b'n'; 160])));
        assert_ne!(file, encode(&"n".repeat(242)));
    }

    #[test]
    fn files_of_another_origin() {
        for file in ["A", ".hidden", "a b", "%zz", "%4", "^", "%61", "%ff"] {
            assert_eq!(decode(file), None, "{file}");
        }
    }

    proptest! {
        #[test]
        fn every_name_comes_back(name in "(?s).{1,400}") {
            let file = encode(&name);
            prop_assert!(file.len() <= 255 && !file.contains(['/', '\0']));
            prop_assert!(file.bytes().all(|byte| !byte.is_ascii_uppercase()));
            match decode(&file) {
                Some(Decoded::Whole(found)) => prop_assert_eq!(found, name),
                Some(Decoded::Head(head)) => prop_assert!(name.as_bytes().starts_with(&head) && head.len() < name.len()),
                None => prop_assert!(false, "{} is lost", file),
            }
        }
    }
}
