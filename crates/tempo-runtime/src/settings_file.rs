//! The settings file: flags by name, in TOML.
//!
//! A table holds the `NAME=VALUE` pairs of a repeatable flag: `[keyvalue]` with `default = "file:./data"` is
//! `--keyvalue default=file:./data`. A flag whose values have options takes a table for each value: `[[subscribe]]` with
//! `topic = "orders.>"` and `ordered = true` is `--subscribe 'orders.>;ordered=true'`. Errors name the file and the line,
//! never a value. A file that declares components is also the manifest of an app (`manifest.rs`).

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::Path;

use tempo_settings::{Error, ErrorKind, Flag, TextPosition, Value, ValueSource};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::env_file::ENV_FILE;
use crate::host_key::KEY_FILE;
use crate::manifest;
use crate::problems::Problems;

/// The flag that names the file.
pub(crate) const SETTINGS: Flag =
    Flag::new("settings", "FILE", "File of settings, in TOML [default: tempo.toml, if there is one]").of_process();

/// The values of flags, by the flags' names.
pub(crate) type Values = BTreeMap<&'static str, Vec<Value>>;

/// Parses `bytes`, the contents of the file `path`, into the values of `flags`, without those of the components that it
/// declares. Relative paths in values go by the file's folder.
///
/// # Errors
///
/// The bytes are not TOML in UTF-8, or have a key that is not a flag. The error lists all problems.
pub fn parse<'a>(bytes: &[u8], path: &str, flags: impl Iterator<Item = &'a Flag>) -> Result<Values, Error> {
    let mut problems = Problems::new(path);
    let parser = SettingsParser::new(bytes, path)?;
    let root = parser.root()?;
    let values = parser.table(root.get_ref(), &flags.collect::<Vec<_>>(), Scope::Top, &mut problems);
    problems.into_result().map(|()| values)
}

/// The table that a key is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scope {
    /// The top of the file.
    Top,
    /// A `[component.NAME]`.
    Component,
}

impl Scope {
    /// Returns whether `key` is of a manifest and no flag.
    fn reserves(self, key: &str) -> bool {
        match self {
            Self::Top => [manifest::NAME, manifest::COMPONENT, manifest::BUILD].contains(&key),
            Self::Component => [manifest::SOURCE, manifest::IMPORTS, manifest::BUILD].contains(&key),
        }
    }
}

/// Returns whether `flag` names a file of settings, which is read before the settings file, or is it.
fn names_a_source(flag: &Flag) -> bool {
    flag.name == SETTINGS.name || flag.name == ENV_FILE.name
}

/// Returns whether a settings file may have a value of `flag`.
pub(crate) fn can_be_in_file(flag: &Flag) -> bool {
    !flag.environment_only && !names_a_source(flag) && flag.name != KEY_FILE.name
}

/// Parses the text of a settings file or a manifest.
pub(crate) struct SettingsParser<'t> {
    file: String,
    text: &'t str,
}

impl<'t> SettingsParser<'t> {
    /// Creates the parser of `bytes`, the contents of the file `path`.
    ///
    /// # Errors
    ///
    /// The bytes are not UTF-8.
    pub(crate) fn new(bytes: &'t [u8], path: &str) -> Result<Self, Error> {
        let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
        let text = std::str::from_utf8(bytes).map_err(|_| {
            Error::new(ErrorKind::BadConfiguration, format!("{path}: not UTF-8; save the file as UTF-8"))
        })?;
        Ok(Self { file: path.to_owned(), text })
    }

    /// Parses the whole text.
    ///
    /// # Errors
    ///
    /// The text is not TOML.
    pub(crate) fn root(&self) -> Result<Spanned<DeTable<'t>>, Error> {
        DeTable::parse(self.text).map_err(|error| {
            // It describes the syntax, and contains no value.
            let (file, message) = (&self.file, error.message());
            let position = TextPosition::of(self.text, error.span().unwrap_or_default().start);
            Error::new(ErrorKind::BadConfiguration, format!("not valid TOML: {message} ({file}:{position})"))
        })
    }

    /// Returns the values of `flags` in `table`.
    pub(crate) fn table(&self, table: &DeTable<'_>, flags: &[&Flag], scope: Scope, problems: &mut Problems) -> Values {
        let mut values = Values::new();
        for (key, value) in table {
            let name = key.get_ref().as_ref();
            if scope.reserves(name) {
                continue;
            }
            let given =
                self.known(flags, name, &key.span(), scope).and_then(|flag| Ok((flag, self.flag(flag, value)?)));
            match given {
                Ok((flag, mut given)) => {
                    given.iter_mut().for_each(|value| value.text = self.relative(flag, &value.text));
                    values.insert(flag.name, given);
                }
                Err(error) => problems.add(self.line(&key.span()), error),
            }
        }
        values
    }

    /// Returns the flag of the key `name`, if it may stand in a table of `scope`.
    fn known<'f>(&self, flags: &[&'f Flag], name: &str, span: &Range<usize>, scope: Scope) -> Result<&'f Flag, Error> {
        let flag = flags.iter().find(|flag| flag.name == name && !flag.environment_only);
        let problem = match flag {
            None => format!("{}: no such setting; `run --help` lists them", name.escape_debug()),
            Some(flag) if names_a_source(flag) => {
                format!("{name}: a settings file cannot name another; give --{name} or {}", flag.variable())
            }
            Some(flag) if flag.of_process && scope == Scope::Component => {
                format!("{name}: all components share it; move it to the top of the file")
            }
            Some(flag) => return Ok(flag),
        };
        Err(self.bad(span.clone(), &problem))
    }

    /// Returns a value of `flag` whose relative path goes by the file's folder.
    fn relative(&self, flag: &Flag, text: &str) -> String {
        self.folder().map_or_else(|| text.to_owned(), |folder| flag.form.relative_to(folder, text))
    }

    /// Returns the file's folder, or `None` if it is the working directory.
    pub(crate) fn folder(&self) -> Option<&Path> {
        Path::new(&self.file).parent().filter(|folder| !folder.as_os_str().is_empty())
    }

    fn flag(&self, flag: &Flag, value: &Spanned<DeValue<'_>>) -> Result<Vec<Value>, Error> {
        match value.get_ref() {
            DeValue::Array(items) if flag.repeatable => {
                let values = items.iter().map(|item| match (flag.first_key, item.get_ref()) {
                    (Some(first), DeValue::Table(table)) => self.with_options(flag, first, table, &item.span()),
                    _ => Ok(vec![self.scalar(flag, "", item)?]),
                });
                Ok(values.collect::<Result<Vec<_>, _>>()?.concat())
            }
            DeValue::Table(table) if let Some(first) = flag.first_key => {
                self.with_options(flag, first, table, &value.span())
            }
            DeValue::Table(pairs) if flag.repeatable => {
                pairs.iter().map(|(name, value)| self.scalar(flag, &format!("{}=", name.get_ref()), value)).collect()
            }
            _ => Ok(vec![self.scalar(flag, "", value)?]),
        }
    }

    /// Returns the values `[NAME=]FIRST[;KEY=VALUE]...` of a table: one for each element if `FIRST` is an array. The elements
    /// of an option that is an array are joined by `/`.
    fn with_options(
        &self,
        flag: &Flag,
        first: &str,
        table: &DeTable<'_>,
        span: &Range<usize>,
    ) -> Result<Vec<Value>, Error> {
        let (mut name, mut firsts, mut options) = (String::new(), Vec::new(), String::new());
        for (key, value) in table {
            let items = match value.get_ref() {
                DeValue::Array(items) => items.iter().collect(),
                _ => vec![value],
            };
            let texts = items.iter().map(|item| self.part(flag, item)).collect::<Result<Vec<_>, _>>()?;
            match key.get_ref().as_ref() {
                key if key == first => firsts = items.into_iter().zip(texts).collect(),
                "name" => name = format!("{}=", texts.join("/")),
                key => options.push_str(&format!(";{key}={}", texts.join("/"))),
            }
        }
        if firsts.is_empty() {
            return Err(self.bad(span.clone(), &format!("{}: `{first}` is missing", flag.name)));
        }
        let value = |(item, text): (&Spanned<DeValue<'_>>, String)| Value {
            text: format!("{name}{text}{options}"),
            source: self.source(&item.span()),
        };
        Ok(firsts.into_iter().map(value).collect())
    }

    /// Returns a part of a value with options. It must not contain the separator of options.
    fn part(&self, flag: &Flag, value: &Spanned<DeValue<'_>>) -> Result<String, Error> {
        let text = self.text(flag.name, "text, a number or a truth value", value)?;
        if text.contains(';') {
            return Err(self.bad(value.span(), &format!("{}: `;` is not allowed in a value", flag.name)));
        }
        Ok(text)
    }

    fn scalar(&self, flag: &Flag, prefix: &str, value: &Spanned<DeValue<'_>>) -> Result<Value, Error> {
        let text = self.text(flag.name, &format!("{} as a string", flag.value), value)?;
        Ok(Value { text: format!("{prefix}{text}"), source: self.source(&value.span()) })
    }

    fn text(&self, name: &str, expected: &str, value: &Spanned<DeValue<'_>>) -> Result<String, Error> {
        match value.get_ref() {
            DeValue::String(text) => Ok(text.to_string()),
            DeValue::Integer(number) if number.radix() == 10 => Ok(number.as_str().to_owned()),
            DeValue::Boolean(value) => Ok(value.to_string()),
            _ => Err(self.bad(value.span(), &format!("{name}: expected {expected}"))),
        }
    }

    /// Returns the place at `span`, as the source of a value.
    pub(crate) fn source(&self, span: &Range<usize>) -> ValueSource {
        ValueSource::SettingsFile { path: self.file.clone(), line: self.line(span) }
    }

    /// Returns the error of `problem` at `span`.
    pub(crate) fn bad(&self, span: Range<usize>, problem: &str) -> Error {
        Error::new(ErrorKind::BadConfiguration, format!("{problem} ({}:{})", self.file, self.line(&span)))
    }

    /// Returns the line of `span`, counted from 1.
    pub(crate) fn line(&self, span: &Range<usize>) -> usize {
        let before = self.text.as_bytes().get(..span.start).unwrap_or_default();
        before.iter().filter(|byte| **byte == b'\n').count().saturating_add(1)
    }
}

#[cfg(test)]
mod tests {
    use tempo_settings::ValueForm;

    use super::*;

    const ADDR: Flag = Flag::new("addr", "HOST:PORT", "");
    const REQUESTS: Flag = Flag::new("max-requests", "N", "");
    const STORES: Flag = Flag::new("keyvalue", "[NAME=]URL", "").repeatable();
    const SUBSCRIBE: Flag = Flag::new("subscribe", "[NAME=]TOPIC[;KEY=VALUE]...", "").with_options("topic");

    fn values(text: &str) -> Result<Values, Error> {
        parse(text.as_bytes(), "tempo.toml", [&ADDR, &REQUESTS, &STORES, &SUBSCRIBE].into_iter())
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
        assert_eq!(values["addr"][0].source, ValueSource::SettingsFile { path: "tempo.toml".into(), line: 1 });
        let list = super::tests::values("keyvalue = [\"memory:\", \"b=file:b\"]").unwrap();
        assert_eq!(texts(&list, &STORES), ["memory:", "b=file:b"]);
    }

    #[test]
    fn relative_paths_go_by_the_folder_of_the_file() {
        let stores = Flag::new("keyvalue", "[NAME=]URL", "").repeatable().form(ValueForm::NamedUrl);
        let text = b"\xef\xbb\xbfaddr = \"a:1\"\n[keyvalue]\nb = \"file:b\"\nc = \"file:/c\"\n";
        let texts = |path: &str| {
            let values = parse(text, path, [&ADDR, &stores].into_iter()).unwrap();
            values[stores.name].iter().map(|value| value.text.clone()).collect::<Vec<_>>()
        };
        assert_eq!(texts("tempo.toml"), ["b=file:b", "c=file:/c"]);
        assert_eq!(texts("conf/tempo.toml"), ["b=file:conf/b", "c=file:/c"]);
        let error = parse(b"addr = \"\xff\"", "tempo.toml", [&ADDR].into_iter()).unwrap_err();
        assert_eq!(error.to_string(), "tempo.toml: not UTF-8; save the file as UTF-8");
    }

    #[test]
    fn errors_have_the_line_and_not_the_value() {
        let error = |text: &str| values(text).unwrap_err().to_string();
        assert_eq!(
            error("addr = \"a:1\"\nadr = \"s3cret\""),
            "adr: no such setting; `run --help` lists them (tempo.toml:2)"
        );
        assert_eq!(
            error("\naddr = s3cret"),
            "not valid TOML: string values must be quoted, expected literal string (tempo.toml:2:8)"
        );
        assert_eq!(error("addr = [\"s3cret\"]"), "addr: expected HOST:PORT as a string (tempo.toml:1)");
        assert_eq!(error("[addr]\nx = \"s3cret\""), "addr: expected HOST:PORT as a string (tempo.toml:1)");
    }

    #[test]
    fn all_problems_are_one_error() {
        let error = values("adr = 1\naddr = [1]\nbdr = 2\n").unwrap_err().to_string();
        let lines: Vec<&str> = error.lines().collect();
        assert_eq!(lines[0], "tempo.toml has 3 problems:");
        assert!(
            lines[1].starts_with("  adr: ") && lines[2].ends_with("(tempo.toml:2)") && lines[3].starts_with("  bdr")
        );
    }

    #[test]
    fn the_keys_of_a_manifest_are_no_flags() {
        let values =
            values("name = \"shop\"\naddr = \"a:1\"\n[component.api]\nsource = \"a\"\nnonsense = 1\n").unwrap();
        assert_eq!(texts(&values, &ADDR), ["a:1"]);
    }

    #[test]
    fn a_table_is_a_value_with_options() {
        let values = values(
            "[[subscribe]]\ntopic = \"orders.>\"\n\n[[subscribe]]\nname = \"b\"\nordered = true\nmax-in-flight = 8\n\
             backoff = [\"1s\", \"5s\"]\ntopic = [\n  \"x\",\n  \"y\",\n]\n",
        )
        .unwrap();
        let options = "backoff=1s/5s;max-in-flight=8;ordered=true";
        assert_eq!(
            texts(&values, &SUBSCRIBE),
            ["orders.>".to_owned(), format!("b=x;{options}"), format!("b=y;{options}")]
        );
        let source = |line| ValueSource::SettingsFile { path: "tempo.toml".into(), line };
        let sources: Vec<_> = values[SUBSCRIBE.name].iter().map(|value| value.source.clone()).collect();
        assert_eq!(sources, [source(2), source(10), source(11)]);
        let list = super::tests::values("subscribe = [\"x;ordered\", \"y\"]").unwrap();
        assert_eq!(texts(&list, &SUBSCRIBE), ["x;ordered", "y"]);
        let one = super::tests::values("[subscribe]\ntopic = \"x\"").unwrap();
        assert_eq!(texts(&one, &SUBSCRIBE), ["x"]);
    }

    #[test]
    fn a_table_cannot_inject_options() {
        let error = |text: &str| values(text).unwrap_err().to_string();
        assert_eq!(error("[[subscribe]]\nordered = true"), "subscribe: `topic` is missing (tempo.toml:1)");
        assert_eq!(
            error("[[subscribe]]\ntopic = \"x;s3cret=1\""),
            "subscribe: `;` is not allowed in a value (tempo.toml:2)"
        );
        assert_eq!(
            error("[[subscribe]]\ntopic = [[\"s3cret\"]]"),
            "subscribe: expected text, a number or a truth value (tempo.toml:2)"
        );
        // Only flags with options take tables.
        assert_eq!(error("[[keyvalue]]\ntopic = \"x\""), "keyvalue: expected [NAME=]URL as a string (tempo.toml:1)");
    }
}
