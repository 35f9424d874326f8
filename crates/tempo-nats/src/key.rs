//! Encodes arbitrary keys as keys of a JetStream bucket, and decodes them.
//!
//! A bucket's keys are subjects: letters, digits, `-`, `_`, `/`, `=` and dots, which separate non-empty tokens. All of
//! these except `=` are kept; `=` with two hexadecimal digits encodes any other byte of the key's UTF-8. So `user/1`
//! and `config.port` are unchanged, and `a b` becomes `a=20b`. A dot becomes `=2E` where it would leave an empty token:
//! at either end, and after another unencoded dot.
//!
//! The encoding is a bijection. A key in the bucket that is not an encoding (`a=b`, of another program) is never
//! listed, reported or overwritten.

/// Encodes `key`, to at most three times its length: 512 bytes become at most 1,536, and a server's default control
/// line allows 4,096.
pub(crate) fn encode(key: &str) -> String {
    let mut encoded = String::with_capacity(key.len().saturating_mul(3));
    let mut bytes = key.bytes().peekable();
    while let Some(byte) = bytes.next() {
        let inner = !encoded.is_empty() && !encoded.ends_with('.') && bytes.peek().is_some();
        if is_plain(byte) || (byte == b'.' && inner) {
            encoded.push(char::from(byte));
        } else {
            encoded.push('=');
            encoded.push(digit(byte >> 4));
            encoded.push(digit(byte & 15));
        }
    }
    encoded
}

/// Decodes a bucket key. `None` if it is not an encoding.
pub(crate) fn decode(encoded: &str) -> Option<String> {
    let mut key = Vec::with_capacity(encoded.len());
    let mut bytes = encoded.bytes();
    while let Some(byte) = bytes.next() {
        key.push(match byte {
            b'=' => (value(bytes.next()?)? << 4) | value(bytes.next()?)?,
            byte => byte,
        });
    }
    // Reject non-canonical encodings.
    String::from_utf8(key).ok().filter(|key| !key.is_empty() && encode(key) == encoded)
}

fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'/')
}

fn digit(nibble: u8) -> char {
    char::from_digit(u32::from(nibble), 16).map_or('0', |digit| digit.to_ascii_uppercase())
}

fn value(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

    use super::*;

    #[test]
    fn readable_where_it_can_be() {
        let pairs = [
            ("user/1", "user/1"),
            ("config.port_2-x", "config.port_2-x"),
            ("a b", "a=20b"),
            ("a=b", "a=3Db"),
            ("..", "=2E=2E"),
            (".a.", "=2Ea=2E"),
            ("a..b", "a.=2Eb"),
            ("a...b", "a.=2E.b"),
            ("../etc", "=2E./etc"),
            ("*.>", "=2A.=3E"),
            ("\0", "=00"),
            ("ключ", "=D0=BA=D0=BB=D1=8E=D1=87"),
            ("$KV.x", "=24KV.x"),
        ];
        for (key, encoded) in pairs {
            assert_eq!(encode(key), encoded);
            assert_eq!(decode(encoded).as_deref(), Some(key));
        }
    }

    #[test]
    fn what_somebody_else_wrote_is_no_key() {
        for foreign in ["", "a=b", "a=", "a=2", "a=2e", "=41", "a=20=", "=FF", "a=2Eb", "a.b.", ".a", "a..b", "ä", "a*"]
        {
            assert_eq!(decode(foreign), None, "{foreign}");
        }
    }

    /// The same cases on every machine.
    fn runner() -> TestRunner {
        let config = Config { cases: 4_000, failure_persistence: None, ..Config::default() };
        TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha))
    }

    /// Keys with many special characters.
    fn keys() -> impl Strategy<Value = String> {
        let character = prop_oneof![3 => prop::sample::select(vec!['.', '=', '/', '_', '2', 'E']), 1 => any::<char>()];
        prop::collection::vec(character, 1..40).prop_map(|characters| characters.into_iter().collect())
    }

    #[test]
    fn there_and_back() {
        let result = runner().run(&keys(), |key| {
            let encoded = encode(&key);
            prop_assert!(encoded.bytes().all(|byte| is_plain(byte) || matches!(byte, b'=' | b'.')), "{}", encoded);
            prop_assert!(encoded.split('.').all(|token| !token.is_empty()), "{}", encoded);
            prop_assert!(encoded.len() <= key.len() * 3);
            prop_assert_eq!(decode(&encoded), Some(key));
            Ok(())
        });
        result.unwrap();
    }

    #[test]
    fn two_names_are_never_one_key() {
        let names = "[.=/_2Ea]{1,8}";
        let result = runner().run(&names, |name| {
            if let Some(key) = decode(&name) {
                prop_assert_eq!(encode(&key), name);
            }
            Ok(())
        });
        result.unwrap();
    }
}
