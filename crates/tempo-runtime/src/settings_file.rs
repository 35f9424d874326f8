//! The settings file: flags under their own names, in TOML.
//!
//! A table holds the `NAME=VALUE` pairs of a repeatable flag: `[keyvalue]` with `default = "file:./data"` is
//! `--keyvalue default=file:./data`. Errors name the file and the line, never a value.

use std::collections::BTreeMap;
use std::io::ErrorKind as IoErrorKind;
use std::ops::Range;
use std::path::Path;

use tempo_core::{Error, ErrorKind, Flag, Place, Value};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// The flag that names the file.
pub const SETTINGS: Flag =
    Flag::new("settings", "FILE", "File of settings, in TOML [default: tempo.toml, if there is one]");

/// The values of flags, by the flags' names.
pub type Values = BTreeMap<&'static str, Vec<Value>>;

/// Reads the values of `flags` in `path`; if it is only the default, it may be absent.
///
/// # Errors
///
/// The file cannot be read, is not TOML, or sets something that is no flag.
pub fn read<'a>(path: &Path, required: bool, flags: impl Iterator<Item = &'a Flag>) -> Result<Values, Error> {
    let file = path.display().to_string();
    match std::fs::read_to_string(path) {
        Ok(text) => Reader { file, text: &text }.values(&flags.collect::<Vec<_>>()),
        Err(error) if error.kind() == IoErrorKind::NotFound && !required => Ok(Values::new()),
        Err(error) => Err(Error::new(ErrorKind::NotFound, format!("cannot read {file}: {error}"))),
    }
}

struct Reader<'t> {
    file: String,
    text: &'t str,
}

impl Reader<'_> {
    fn values(&self, flags: &[&Flag]) -> Result<Values, Error> {
        let root =
            DeTable::parse(self.text).map_err(|error| self.bad(error.span().unwrap_or_default(), "not valid TOML"))?;
        let mut values = Values::new();
        for (key, value) in root.get_ref() {
            let name = key.get_ref();
            let Some(flag) = flags.iter().find(|flag| flag.name == name) else {
                return Err(self.bad(key.span(), &format!("{name}: no such setting; `run --help` lists them")));
            };
            values.insert(flag.name, self.flag(flag, value)?);
        }
        Ok(values)
    }

    fn flag(&self, flag: &Flag, value: &Spanned<DeValue<'_>>) -> Result<Vec<Value>, Error> {
        match value.get_ref() {
            DeValue::Array(items) if flag.repeatable => items.iter().map(|item| self.scalar(flag, "", item)).collect(),
            DeValue::Table(pairs) if flag.repeatable => {
                pairs.iter().map(|(name, value)| self.scalar(flag, &format!("{}=", name.get_ref()), value)).collect()
            }
            _ => Ok(vec![self.scalar(flag, "", value)?]),
        }
    }

    fn scalar(&self, flag: &Flag, prefix: &str, value: &Spanned<DeValue<'_>>) -> Result<Value, Error> {
        let text = match value.get_ref() {
            DeValue::String(text) => text.to_string(),
            DeValue::Integer(number) if number.radix() == 10 => number.as_str().to_owned(),
            DeValue::Boolean(value) => value.to_string(),
            _ => return Err(self.bad(value.span(), &format!("{}: expected {} as a string", flag.name, flag.value))),
        };
        let place = Place::SettingsFile { path: self.file.clone(), line: self.line(&value.span()) };
        Ok(Value { text: format!("{prefix}{text}"), place })
    }

    fn bad(&self, span: Range<usize>, problem: &str) -> Error {
        Error::new(ErrorKind::BadConfiguration, format!("{problem} ({}:{})", self.file, self.line(&span)))
    }

    fn line(&self, span: &Range<usize>) -> usize {
        let before = self.text.as_bytes().get(..span.start).unwrap_or_default();
        before.iter().filter(|byte| **byte == b'\n').count().saturating_add(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ADDR: Flag = Flag::new("addr", "HOST:PORT", "");
    const REQUESTS: Flag = Flag::new("max-requests", "N", "");
    const STORES: Flag = Flag::new("keyvalue", "[NAME=]URL", "").repeatable();

    fn values(text: &str) -> Result<Values, Error> {
        Reader { file: "tempo.toml".into(), text }.values(&[&ADDR, &REQUESTS, &STORES])
    }

    fn texts(values: &Values, flag: &Flag) -> Vec<String> {
        values[flag.name].iter().map(|value| value.text.clone()).collect()
    }

    #[test]
    fn flags_by_their_names() {
        let values =
            values("addr = \"a:1\"\nmax-requests = 5\n\n[keyvalue]\ndefault = \"memory:\"\nb = \"file:b\"\n").unwrap();
        assert_eq!(texts(&values, &ADDR), ["a:1"]);
        assert_eq!(texts(&values, &REQUESTS), ["5"]);
        assert_eq!(texts(&values, &STORES), ["b=file:b", "default=memory:"]);
        assert_eq!(values["addr"][0].place, Place::SettingsFile { path: "tempo.toml".into(), line: 1 });
        let list = super::tests::values("keyvalue = [\"memory:\", \"b=file:b\"]").unwrap();
        assert_eq!(texts(&list, &STORES), ["memory:", "b=file:b"]);
    }

    #[test]
    fn mistakes_are_named_with_their_line_and_not_shown() {
        let error = |text: &str| values(text).unwrap_err().to_string();
        assert_eq!(
            error("addr = \"a:1\"\nadr = \"s3cret\""),
            "adr: no such setting; `run --help` lists them (tempo.toml:2)"
        );
        assert_eq!(error("\naddr = s3cret"), "not valid TOML (tempo.toml:2)");
        assert_eq!(error("addr = [\"s3cret\"]"), "addr: expected HOST:PORT as a string (tempo.toml:1)");
        assert_eq!(error("[addr]\nx = \"s3cret\""), "addr: expected HOST:PORT as a string (tempo.toml:1)");
    }

    #[test]
    fn only_the_default_may_be_absent() {
        let directory = tempfile::tempdir().unwrap();
        let absent = directory.path().join("tempo.toml");
        assert!(read(&absent, false, [].into_iter()).unwrap().is_empty());
        assert_eq!(read(&absent, true, [].into_iter()).unwrap_err().kind(), ErrorKind::NotFound);
    }
}
