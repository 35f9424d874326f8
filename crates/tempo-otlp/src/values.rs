//! Parses values as OpenTelemetry specifies: empty is unset, enums are case-insensitive, durations are milliseconds.

use std::time::Duration;

use percent_encoding::percent_decode_str;
use tempo_settings::{Error, Flag, Settings};

/// Maximum duration: one day.
const MAX_MILLISECONDS: u64 = 24 * 60 * 60 * 1000;

/// The settings, with parsers.
#[derive(Clone, Copy)]
pub(crate) struct Values<'a>(pub(crate) &'a Settings);

impl Values<'_> {
    /// Returns the value of `flag`, if set.
    pub(crate) fn text(self, flag: &Flag) -> Result<Option<String>, Error> {
        let value = self.0.get::<String>(flag)?;
        Ok(value.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty()))
    }

    /// Parses the value of `flag` with `read`; its error is `expected`.
    pub(crate) fn read<V>(
        self,
        flag: &Flag,
        expected: &str,
        read: impl FnOnce(&str) -> Option<V>,
    ) -> Result<Option<V>, Error> {
        let Some(text) = self.text(flag)? else { return Ok(None) };
        read(&text).map(Some).ok_or_else(|| self.0.invalid(flag, &format!("expected {expected}")))
    }

    /// Parses one of `choices`.
    pub(crate) fn choice<V: Clone>(self, flag: &Flag, choices: &[(&str, V)]) -> Result<Option<V>, Error> {
        let names: Vec<_> = choices.iter().map(|(name, _)| *name).collect();
        let expected = match names.split_last() {
            Some((last, others)) if !others.is_empty() => format!("{} or {last}", others.join(", ")),
            _ => names.concat(),
        };
        self.read(flag, &expected, |text| {
            choices.iter().find(|(name, _)| name.eq_ignore_ascii_case(text)).map(|(_, value)| value.clone())
        })
    }

    /// Parses a boolean.
    pub(crate) fn is_true(self, flag: &Flag) -> Result<Option<bool>, Error> {
        self.choice(flag, &[("true", true), ("false", false)])
    }

    /// Parses a duration.
    pub(crate) fn duration(self, flag: &Flag) -> Result<Option<Duration>, Error> {
        self.read(flag, "a number of milliseconds from 1 to 86400000", |text| {
            let number: u64 = text.parse().ok()?;
            (1..=MAX_MILLISECONDS).contains(&number).then(|| Duration::from_millis(number))
        })
    }

    /// Parses pairs separated by commas, with percent-encoded values.
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
