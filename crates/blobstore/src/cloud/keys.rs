//! Converts names of objects to keys of a store, and back.
//!
//! Keys are paths: no control characters, no empty segments, no `.` or `..`. The escaping of other names preserves the
//! order of their bytes, because a listing continues after the last key.
//!
//! | in the name | in the key |
//! |---|---|
//! | U+0000 to U+0020, `!` | `!` and one of `0`-`9`, `A`-`X` |
//! | `~`, U+007F | `~!`, `~~` |
//! | U+FFFD, U+FFFE, U+FFFF | U+FFFD and `!`, `0`, `1` |
//! | `.`, `/` where a segment begins | `.!`, `.~` |
//! | a segment without characters at the end | `!!` |

use object_store::path::Path;

use crate::{Error, Result};

/// Maximum key length of servers, in bytes.
const MAX_KEY: usize = 1024;

/// Key prefix of incomplete uploads. No name encodes to it.
const UPLOADS: &str = "!tmp";

/// Keys below a prefix.
#[derive(Clone, Debug)]
pub(super) struct Keys {
    /// Ends with a slash, unless empty.
    root: String,
}

impl Keys {
    pub(super) fn new(prefix: &str) -> Result<Self> {
        let prefix = Path::parse(prefix).map_err(|_| Error::invalid("the prefix has an empty segment, `.` or `..`"))?;
        let root = if prefix.is_root() { String::new() } else { format!("{prefix}/") };
        Ok(Self { root })
    }

    /// Returns the key of the object `name`.
    pub(super) fn encode(&self, name: &str) -> Result<Path> {
        let mut key = self.begins(name);
        if key.is_empty() || key.ends_with('/') {
            key.push_str("!!");
        }
        if key.len() > MAX_KEY {
            return Err(Error::invalid("the name is too long for this store"));
        }
        Path::parse(key).map_err(|_| Error::invalid("the store cannot hold such a name"))
    }

    /// Returns the common key prefix of all names with the prefix `prefix`.
    pub(super) fn begins(&self, prefix: &str) -> String {
        let mut key = self.root.clone();
        let mut start = true;
        for character in prefix.chars() {
            start = push(&mut key, character, start);
        }
        key
    }

    /// Returns the name of the object at `key`, or `None` if the key is not an encoded name.
    pub(super) fn decode(&self, key: &Path) -> Option<String> {
        let text = key.as_ref().strip_prefix(&self.root)?;
        let mut name = String::with_capacity(text.len());
        let mut rest = text.chars();
        while let Some(character) = rest.next() {
            name.push(match character {
                '!' => match rest.next()? {
                    '!' => break,
                    code => char::from(unescape(code)?),
                },
                '~' => {
                    if rest.next()? == '!' {
                        '~'
                    } else {
                        '\u{7f}'
                    }
                }
                '\u{fffd}' => match rest.next()? {
                    '!' => '\u{fffd}',
                    '0' => '\u{fffe}',
                    _ => '\u{ffff}',
                },
                '.' if name.is_empty() || name.ends_with('/') => {
                    if rest.next()? == '!' {
                        '.'
                    } else {
                        '/'
                    }
                }
                plain => plain,
            });
        }
        // Reject non-canonical encodings, which another program may have written.
        let canonical = self.encode(&name).ok()? == *key && !name.is_empty();
        canonical.then_some(name)
    }

    /// Returns the key of an incomplete upload.
    pub(super) fn upload(&self, random: &str) -> Path {
        Path::from(format!("{}{UPLOADS}/{random}", self.root))
    }
}

/// Appends the encoding of `character`. Returns true if the next character starts a segment.
fn push(key: &mut String, character: char, start: bool) -> bool {
    match character {
        '\0'..='!' => {
            key.push('!');
            key.push(escape(character));
        }
        '~' => key.push_str("~!"),
        '\u{7f}' => key.push_str("~~"),
        '\u{fffd}' => key.push_str("\u{fffd}!"),
        '\u{fffe}' => key.push_str("\u{fffd}0"),
        '\u{ffff}' => key.push_str("\u{fffd}1"),
        '.' if start => key.push_str(".!"),
        '/' if start => key.push_str(".~"),
        plain => key.push(plain),
    }
    character == '/'
}

/// Encodes one of 34 values, in order.
fn escape(character: char) -> char {
    let value = u8::try_from(character).unwrap_or(0);
    let base = if value < 10 { b'0' } else { b'A'.saturating_sub(10) };
    char::from(base.saturating_add(value))
}

fn unescape(code: char) -> Option<u8> {
    let code = u8::try_from(code).ok()?;
    match code {
        b'0'..=b'9' => code.checked_sub(b'0'),
        b'A'..=b'X' => code.checked_sub(b'A')?.checked_add(10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testkit::NAMES;
    use proptest::prelude::*;

    fn key(name: &str) -> String {
        Keys::new("").unwrap().encode(name).unwrap().to_string()
    }

    #[test]
    fn plain_names_are_kept() {
        for name in ["photos/2024/cat.jpg", "A-b_c=d+e(f)&g@h", "ü/🔑", "a.b/c..d"] {
            assert_eq!(key(name), name);
        }
    }

    #[test]
    fn what_a_path_cannot_hold_is_escaped() {
        assert_eq!(key("a b"), "a!Wb");
        assert_eq!(key("a\0"), "a!0");
        assert_eq!(key("../a"), ".!./a");
        assert_eq!(key("a//b"), "a/.~b");
        assert_eq!(key("/"), ".~");
        assert_eq!(key("a/"), "a/!!");
        assert_eq!(key("~"), "~!");
    }

    #[test]
    fn keys_have_the_order_of_the_names() {
        let keys: Vec<String> = NAMES.iter().map(|name| key(name)).collect();
        assert!(keys.is_sorted(), "{keys:?}");
    }

    #[test]
    fn keys_of_another_origin_are_no_names() {
        let keys = Keys::new("root").unwrap();
        for other in ["a", "other/a", "root", "root/a b", "root/!tmp/x", "root/~", "root/.a", "root/a!!", "root/!Z"] {
            assert_eq!(keys.decode(&Path::parse(other).unwrap()), None, "{other}");
        }
        assert_eq!(keys.decode(&keys.upload("x")), None);
        assert_eq!(keys.decode(&keys.encode("a/").unwrap()).as_deref(), Some("a/"));
    }

    #[test]
    fn lengths_at_the_edge() {
        let keys = Keys::new("root").unwrap();
        for (length, fits) in [(1018, true), (1019, true), (1020, false)] {
            assert_eq!(keys.encode(&"n".repeat(length)).is_ok(), fits, "{length}");
        }
    }

    /// Names of special and of arbitrary characters.
    fn names() -> impl Strategy<Value = String> {
        prop_oneof!["[\0\u{1} !./~\u{7f}\u{fffd}\u{fffe}\u{ffff}a0]{1,6}", "(?s).{1,20}"]
    }

    proptest! {
        #[test]
        fn every_name_comes_back_and_keeps_its_place(one in names(), other in names()) {
            let keys = Keys::new("root").unwrap();
            let (first, second) = (keys.encode(&one).unwrap(), keys.encode(&other).unwrap());
            prop_assert_eq!(keys.decode(&first), Some(one.clone()));
            prop_assert_eq!(one.cmp(&other), first.as_ref().cmp(second.as_ref()), "{} {}", first, second);
            let prefix: String = one.chars().take(2).collect();
            prop_assert!(first.as_ref().starts_with(&keys.begins(&prefix)) || one == prefix);
        }
    }
}
