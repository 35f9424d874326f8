//! Reads values as OpenTelemetry writes them: empty is not set, words are in any case, durations are milliseconds.

use std::time::Duration;

use percent_encoding::percent_decode_str;
use tempo_settings::{Error, Flag, Settings};

/// A day: what waits for longer, nobody waits for.
const MAX_MILLISECONDS: u64 = 24 * 60 * 60 * 1000;

/// The settings, and how to read them.
#[derive(Clone, Copy)]
pub(crate) struct Values<'a>(pub(crate) &'a Settings);

impl Values<'_> {
    /// The value of `flag`, if it has one.
    pub(crate) fn text(self, flag: &Flag) -> Result<Option<String>, Error> {
        let value = self.0.get::<String>(flag)?;
        Ok(value.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty()))
    }

    /// The value of `flag` as `read` reads it, which says nothing more than that it cannot.
    pub(crate) fn read<V>(
        self,
        flag: &Flag,
        expected: &str,
        read: impl FnOnce(&str) -> Option<V>,
    ) -> Result<Option<V>, Error> {
        let Some(text) = self.text(flag)? else { return Ok(None) };
        read(&text).map(Some).ok_or_else(|| self.0.invalid(flag, &format!("expected {expected}")))
    }

    /// One of `words`, and what it stands for.
    pub(crate) fn word<V: Clone>(self, flag: &Flag, words: &[(&str, V)]) -> Result<Option<V>, Error> {
        let names: Vec<_> = words.iter().map(|(name, _)| *name).collect();
        let expected = match names.split_last() {
            Some((last, others)) if !others.is_empty() => format!("{} or {last}", others.join(", ")),
            _ => names.concat(),
        };
        self.read(flag, &expected, |text| {
            words.iter().find(|(name, _)| name.eq_ignore_ascii_case(text)).map(|(_, value)| value.clone())
        })
    }

    /// Whether `flag` is true.
    pub(crate) fn is_true(self, flag: &Flag) -> Result<Option<bool>, Error> {
        self.word(flag, &[("true", true), ("false", false)])
    }

    /// A duration.
    pub(crate) fn duration(self, flag: &Flag) -> Result<Option<Duration>, Error> {
        self.read(flag, "a number of milliseconds from 1 to 86400000", |text| {
            let number: u64 = text.parse().ok()?;
            (1..=MAX_MILLISECONDS).contains(&number).then(|| Duration::from_millis(number))
        })
    }

    /// Pairs separated by commas, whose values may be percent-encoded.
    pub(crate) fn pairs(self, flag: &Flag) -> Result<Option<Vec<(String, String)>>, Error> {
        self.read(flag, "KEY=VALUE,KEY=VALUE with values percent-encoded where needed", |text| {
            text.split(',').map(str::trim).filter(|pair| !pair.is_empty()).map(pair).collect()
        })
    }
}

fn pair(text: &str) -> Option<(String, String)> {
    let (key, value) = text.split_once('=')?;
    let decode = |text: &str| percent_decode_str(text.trim()).decode_utf8().ok().map(std::borrow::Cow::into_owned);
    let (key, value) = (decode(key)?, decode(value)?);
    (!key.is_empty()).then_some((key, value))
}
