//! Increments of counters: the arithmetic that all backends share, and the loop for those without an operation of their own.

use std::time::Duration;

use bytes::Bytes;

use crate::{Condition, Error, ErrorKind, KeyValueStore, Result};

/// Maximum attempts of a conditional write. Each failed attempt means that another writer succeeded, so only an entry
/// under constant writes gets here.
const MAX_ATTEMPTS: u32 = 1000;
/// Upper bound of the pause after the first attempt. It doubles with each attempt, up to the maximum.
const FIRST_PAUSE_MICROS: u64 = 200;
const MAX_PAUSE_MICROS: u64 = 20_000;

/// A number to add to a counter, with the range of the counter: that of `u64` or of `i64`, by the type it is made from.
///
/// A counter is an entry whose value is a decimal integer. No entry counts as 0.
///
/// ```
/// use tempo_keyvalue::Increment;
///
/// assert_eq!(Increment::from(2u64).apply(Some(b"40")), Ok(42));
/// assert_eq!(Increment::from(-1i64).apply(None), Ok(-1));
/// assert!(Increment::from(1u64).apply(Some(b"-1")).is_err(), "not in the range of u64");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Increment {
    delta: i128,
    min: i128,
    max: i128,
}

impl From<u64> for Increment {
    fn from(delta: u64) -> Self {
        Self { delta: delta.into(), min: 0, max: u64::MAX.into() }
    }
}

impl From<i64> for Increment {
    fn from(delta: i64) -> Self {
        Self { delta: delta.into(), min: i64::MIN.into(), max: i64::MAX.into() }
    }
}

impl Increment {
    /// Returns the sum of the counter's `value` and the number.
    ///
    /// # Errors
    ///
    /// `InvalidArgument` if the value is not a decimal integer, or the value or the sum is out of range.
    pub fn apply(self, value: Option<&[u8]>) -> Result<i128> {
        let in_range = |number: &i128| (self.min..=self.max).contains(number);
        let parse = |value| std::str::from_utf8(value).ok()?.parse().ok().filter(in_range);
        let number = value.map_or(Some(0), parse).ok_or_else(|| {
            Error::new(ErrorKind::InvalidArgument, "the value is not a number that can be incremented")
        })?;
        let sum = number.checked_add(self.delta).filter(in_range);
        sum.ok_or_else(|| Error::new(ErrorKind::InvalidArgument, "the sum is out of the number's range"))
    }
}

/// Increments by reads and conditional writes: the default of [`KeyValueStore::increment`].
pub(crate) async fn by_conditional_writes<S>(store: &S, key: &str, increment: Increment) -> Result<i128>
where
    S: KeyValueStore + ?Sized,
{
    let mut backoff = Backoff::default();
    loop {
        let entry = store.get(key).await?;
        let sum = increment.apply(entry.as_ref().map(|entry| &*entry.value))?;
        let value = Bytes::from(sum.to_string());
        let written = match entry {
            Some(entry) => store.replace(key, value, entry.version).await,
            None => store.set(key, value, None, Condition::Absent).await,
        };
        match written {
            Ok(_) => return Ok(sum),
            Err(error) if error.kind() == ErrorKind::PreconditionFailed => backoff.pause().await?,
            Err(error) => return Err(error),
        }
    }
}

/// Pauses between attempts of a conditional write, with exponential backoff and jitter.
#[derive(Debug, Default)]
pub struct Backoff {
    attempts: u32,
}

impl Backoff {
    /// Pauses after a failed attempt.
    ///
    /// # Errors
    ///
    /// `Unavailable` after a thousand attempts.
    pub async fn pause(&mut self) -> Result<()> {
        let longest = self.longest_pause()?;
        tokio::time::sleep(Duration::from_micros(fastrand::u64(..longest))).await;
        Ok(())
    }

    /// Counts an attempt, and returns the upper bound of the pause after it, in microseconds.
    fn longest_pause(&mut self) -> Result<u64> {
        self.attempts = self.attempts.saturating_add(1);
        if self.attempts >= MAX_ATTEMPTS {
            let message = "too many concurrent writes of the entry; nothing was written";
            return Err(Error::new(ErrorKind::Unavailable, message));
        }
        let doublings = self.attempts.saturating_sub(1).min(16);
        Ok(FIRST_PAUSE_MICROS.saturating_mul(1 << doublings).min(MAX_PAUSE_MICROS))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_at_the_edge() {
        let max = u64::MAX.to_string();
        assert_eq!(Increment::from(1u64).apply(Some((u64::MAX - 1).to_string().as_bytes())), Ok(u64::MAX.into()));
        assert!(Increment::from(1u64).apply(Some(max.as_bytes())).is_err());
        assert_eq!(Increment::from(u64::MAX).apply(None), Ok(u64::MAX.into()));
        assert_eq!(Increment::from(-1i64).apply(Some((i64::MIN + 1).to_string().as_bytes())), Ok(i64::MIN.into()));
        assert!(Increment::from(-1i64).apply(Some(i64::MIN.to_string().as_bytes())).is_err());
        assert!(Increment::from(-1i64).apply(Some(max.as_bytes())).is_err(), "a value out of range, a sum within");
        assert!(Increment::from(0u64).apply(Some(b"-1")).is_err());
    }

    #[test]
    fn other_values_are_no_counters() {
        for wrong in ["", "x", "1.5", " 1", "1 ", "0x10", "340282366920938463463374607431768211456"] {
            assert!(Increment::from(1i64).apply(Some(wrong.as_bytes())).is_err(), "{wrong}");
        }
        assert!(Increment::from(1i64).apply(Some(b"1\xff")).is_err());
    }

    #[test]
    fn attempts_at_the_edge() {
        let mut backoff = Backoff::default();
        assert_eq!(backoff.longest_pause(), Ok(FIRST_PAUSE_MICROS));
        assert_eq!(backoff.longest_pause(), Ok(2 * FIRST_PAUSE_MICROS));
        for attempt in 3..MAX_ATTEMPTS {
            assert!(backoff.longest_pause().unwrap() <= MAX_PAUSE_MICROS, "{attempt}");
        }
        assert_eq!(backoff.longest_pause().unwrap_err().kind(), ErrorKind::Unavailable);
    }
}
