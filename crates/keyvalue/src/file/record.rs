//! How an entry is written: its version, the end of its life, its value.
//!
//! | bytes | |
//! |---|---|
//! | 0-7 | the version, little endian |
//! | 8-15 | the end of its life in milliseconds since 1970, little endian; 0 is never |
//! | 16- | the value |

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::Version;

/// What stands before the value.
const HEAD: usize = 16;

/// What an entry carries besides its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) version: Version,
    /// In milliseconds since 1970.
    pub(super) expires: Option<u64>,
}

impl Head {
    pub(super) fn lives(&self, now: u64) -> bool {
        self.expires.is_none_or(|expires| expires > now)
    }
}

/// The length of a record with a value of `length` bytes.
pub(super) fn size(length: usize) -> usize {
    HEAD.saturating_add(length)
}

/// The length of the value in a record of `length` bytes.
pub(super) fn value_size(length: usize) -> usize {
    length.saturating_sub(HEAD)
}

/// Fills `record`, which is as long as [`size`] says.
pub(super) fn write(record: &mut [u8], head: Head, value: &[u8]) {
    let [version, expires] = [head.version, head.expires.unwrap_or(0)].map(u64::to_le_bytes);
    let bytes = version.iter().chain(&expires).chain(value);
    record.iter_mut().zip(bytes).for_each(|(to, from)| *to = *from);
}

/// Takes a record apart. `None`: it is too short to be one.
pub(super) fn read(record: &[u8]) -> Option<(Head, &[u8])> {
    let (version, rest) = record.split_first_chunk()?;
    let (expires, value) = rest.split_first_chunk()?;
    let expires = Some(u64::from_le_bytes(*expires)).filter(|expires| *expires > 0);
    Some((Head { version: u64::from_le_bytes(*version), expires }, value))
}

/// The time, in milliseconds since 1970.
pub(super) fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, millis)
}

/// When a life of `ttl` from now ends.
pub(super) fn after(ttl: Duration) -> u64 {
    now().saturating_add(millis(ttl).max(1))
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_and_back() {
        for expires in [None, Some(1), Some(u64::MAX)] {
            for value in [b"".as_slice(), b"value"] {
                let head = Head { version: 7, expires };
                let mut record = vec![0xff; size(value.len())];
                write(&mut record, head, value);
                assert_eq!(read(&record), Some((head, value)));
            }
        }
        assert_eq!(read(&[0; HEAD - 1]), None);
        assert_eq!(read(&[0; HEAD]), Some((Head { version: 0, expires: None }, b"".as_slice())));
    }

    #[test]
    fn a_life_ends_at_its_last_millisecond() {
        let head = Head { version: 1, expires: Some(10) };
        assert!(head.lives(9));
        assert!(!head.lives(10));
        assert!(after(Duration::ZERO) > now() - 1);
        assert_eq!(after(Duration::MAX), u64::MAX);
    }
}
