//! Limits on keys, values and answers.

use tempo_core::Limits;
use tempo_settings::{Flag, Settings, Size};

use crate::{Error, ErrorKind, Result};

/// Upper bound of the key limit, in bytes: every backend supports it.
const MAX_KEY_BYTES: usize = 512;
/// Guest memory per list element besides its text: two pointers and a length, rounded up.
pub(crate) const ELEMENT_OVERHEAD_BYTES: usize = 32;

pub(crate) const MAX_KEY: Flag =
    Flag::new("max-key-size", "SIZE", "Longest key of a store, up to 512B").default("512B").of::<Size>();
pub(crate) const MAX_VALUE: Flag =
    Flag::new("max-value-size", "SIZE", "Largest value of a store").default("1MiB").of::<Size>();

/// Limits on keys, values and answers, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct KeyValueLimits {
    /// Maximum key, at most 512.
    pub key: usize,
    /// Maximum value.
    pub value: usize,
    /// Maximum answer of one call: a value, a page of keys, or all values of a batch.
    pub answer: usize,
}

impl KeyValueLimits {
    /// Keys of 512 bytes, values of 1 MiB, and answers of what may cross the border in one call.
    pub fn new(limits: &Limits) -> Self {
        Self { key: MAX_KEY_BYTES, value: 1 << 20, answer: limits.hostcall_bytes }
    }

    pub(crate) fn from_settings(settings: &Settings, limits: &Limits) -> tempo_settings::Result<Self> {
        let Size(key) = settings.require(&MAX_KEY)?;
        let Size(value) = settings.require(&MAX_VALUE)?;
        if key > MAX_KEY_BYTES {
            return Err(settings.invalid(&MAX_KEY, "a key has at most 512 bytes on any backend"));
        }
        Ok(Self { key, value, answer: limits.hostcall_bytes })
    }

    pub(crate) fn check_key(&self, key: &str) -> Result<()> {
        if (1..=self.key).contains(&key.len()) {
            return Ok(());
        }
        let message = format!("a key has between 1 and {} bytes, not {}", self.key, key.len());
        Err(Error::new(ErrorKind::InvalidArgument, message))
    }

    pub(crate) fn check_value(&self, value: &[u8]) -> Result<()> {
        if value.len() <= self.value {
            return Ok(());
        }
        let message = format!("a value has at most {} bytes, not {}", self.value, value.len());
        Err(Error::new(ErrorKind::InvalidArgument, message))
    }

    /// Creates the budget of an answer.
    pub(crate) fn room(&self) -> AnswerBudget {
        AnswerBudget { limit: self.answer, left: self.answer }
    }
}

/// The byte budget of one answer, counted before it is built.
#[derive(Clone, Copy, Debug)]
pub(crate) struct AnswerBudget {
    limit: usize,
    left: usize,
}

impl AnswerBudget {
    /// Counts an element of `bytes` if it fits; returns whether it does.
    pub(crate) fn fits(&mut self, bytes: usize) -> bool {
        let left = self.left.checked_sub(bytes.saturating_add(ELEMENT_OVERHEAD_BYTES));
        self.left = left.unwrap_or(self.left);
        left.is_some()
    }

    /// Counts an element, or fails.
    pub(crate) fn take(&mut self, bytes: usize) -> Result<()> {
        if self.fits(bytes) {
            return Ok(());
        }
        let message = format!("the answer is larger than {} bytes", self.limit);
        Err(Error::new(ErrorKind::InvalidArgument, message))
    }
}

#[cfg(test)]
mod tests {
    use tempo_settings::{Value, ValueSource};

    use super::*;

    fn settings(flag: &Flag, text: &str) -> Settings {
        let mut settings = Settings::default();
        settings.set(flag, vec![Value { text: text.into(), source: ValueSource::CommandLine }]);
        settings
    }

    #[test]
    fn keys_at_the_edge() {
        let limits = KeyValueLimits::new(&Limits::default());
        assert!(limits.check_key("").is_err());
        for (length, fits) in [(1, true), (511, true), (512, true), (513, false)] {
            assert_eq!(limits.check_key(&"k".repeat(length)).is_ok(), fits, "{length}");
        }
        // Bytes count, not characters.
        assert!(limits.check_key(&"é".repeat(256)).is_ok());
        assert!(limits.check_key(&"é".repeat(257)).is_err());
    }

    #[test]
    fn values_at_the_edge() {
        let limits = KeyValueLimits::new(&Limits::default());
        for (length, fits) in [(0, true), ((1 << 20) - 1, true), (1 << 20, true), ((1 << 20) + 1, false)] {
            assert_eq!(limits.check_value(&vec![0; length]).is_ok(), fits, "{length}");
        }
    }

    #[test]
    fn answers_at_the_edge() {
        for (answer, fits) in [
            (ELEMENT_OVERHEAD_BYTES + 9, false),
            (ELEMENT_OVERHEAD_BYTES + 10, true),
            (ELEMENT_OVERHEAD_BYTES + 11, true),
        ] {
            let limits = KeyValueLimits { answer, ..KeyValueLimits::new(&Limits::default()) };
            assert_eq!(limits.room().take(10).is_ok(), fits, "{answer}");
        }
    }

    #[test]
    fn flags_at_the_edge() {
        let read = |flag: &Flag, text: &str| KeyValueLimits::from_settings(&settings(flag, text), &Limits::default());
        assert_eq!(read(&MAX_KEY, "511B").unwrap().key, 511);
        assert_eq!(read(&MAX_KEY, "512B").unwrap().key, 512);
        let error = read(&MAX_KEY, "513B").unwrap_err().to_string();
        assert_eq!(error, "--max-key-size: a key has at most 512 bytes on any backend");
        assert_eq!(read(&MAX_VALUE, "2KiB").unwrap().value, 2048);
        let defaults = KeyValueLimits::from_settings(&Settings::default(), &Limits::default()).unwrap();
        assert_eq!(defaults, KeyValueLimits::new(&Limits::default()));
    }
}
