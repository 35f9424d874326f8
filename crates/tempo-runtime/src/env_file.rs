//! Environment files: one `TEMPO_...=value` a line.

use std::collections::BTreeMap;

use tempo_settings::{Error, ErrorKind, Flag, Value, ValueSource};

/// The flag that names the file.
pub(crate) const ENV_FILE: Flag =
    Flag::new("env-file", "FILE", "File of TEMPO_... variables [default: .env, if there is one]");

/// The variables of an environment file.
pub(crate) type Variables = BTreeMap<String, Value>;

/// Parses `text`, the contents of the file `path`.
///
/// # Errors
///
/// A line is not `NAME=value`.
pub fn parse(text: &str, path: &str) -> Result<Variables, Error> {
    let mut variables = Variables::new();
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let number = index + 1;
        let (name, value) =
            line.strip_prefix("export ").unwrap_or(line).split_once('=').ok_or_else(|| {
                Error::new(ErrorKind::BadConfiguration, format!("{path}:{number}: expected NAME=value"))
            })?;
        let source = ValueSource::File { path: path.to_owned(), line: number };
        variables.insert(name.trim().to_owned(), Value { text: unquote(value.trim()).to_owned(), source });
    }
    Ok(variables)
}

fn unquote(value: &str) -> &str {
    for quote in ['"', '\''] {
        if let Some(inner) = value.strip_prefix(quote).and_then(|rest| rest.strip_suffix(quote)) {
            return inner;
        }
    }
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_quotes_and_comments() {
        let variables = parse("# comment\n\nTEMPO_ADDR=a=b\nexport TEMPO_LOG = 'x y'\n", ".env").unwrap();
        assert_eq!(variables["TEMPO_ADDR"].text, "a=b");
        assert_eq!(variables["TEMPO_LOG"].text, "x y");
        assert_eq!(variables["TEMPO_LOG"].source, ValueSource::File { path: ".env".into(), line: 4 });
    }

    #[test]
    fn the_error_of_a_bad_line_has_its_number_and_not_its_text() {
        let error = parse("A=1\ns3cret", ".env").unwrap_err().to_string();
        assert_eq!(error, ".env:2: expected NAME=value");
    }
}
