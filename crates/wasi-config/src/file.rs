//! Configuration files: TOML or JSON, nested tables joined with dots. Errors name the file and the line, never a value.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use serde_json::{Number, Value};
use tempo_settings::{Error, ErrorKind, TextPosition};

#[derive(Clone, Copy)]
pub(crate) enum Format {
    Toml,
    Json,
}

impl Format {
    /// Returns the format by the file's extension.
    pub(crate) fn of(path: &Path) -> Option<Self> {
        let extension = path.extension()?.to_str()?.to_ascii_lowercase();
        match extension.as_str() {
            "toml" => Some(Self::Toml),
            "json" => Some(Self::Json),
            _ => None,
        }
    }
}

/// Reads the pairs of a file of at most `max_bytes`, sorted by key.
pub(crate) fn read(path: &Path, format: Format, max_bytes: usize) -> Result<Vec<(String, String)>, Error> {
    let text = read_text(path, max_bytes)?;
    let root = match format {
        Format::Toml => parse_toml(path, &text)?,
        Format::Json => parse_json(path, &text)?,
    };
    if !root.is_object() {
        return Err(bad(path, "expected an object at the top"));
    }
    let mut pairs = Vec::new();
    flatten(String::new(), root, &mut pairs);
    pairs.sort();
    let twice = pairs.iter().zip(pairs.iter().skip(1)).find(|(one, other)| one.0 == other.0);
    match twice {
        Some(((key, _), _)) => Err(bad(path, &format!("the key `{key}` is there twice"))),
        None => Ok(pairs),
    }
}

fn read_text(path: &Path, max_bytes: usize) -> Result<String, Error> {
    let unreadable = |error: std::io::Error| {
        let problem = format!("cannot read the configuration file {}", path.display());
        Error::new(ErrorKind::NotFound, problem).with_source(error)
    };
    let mut bytes = Vec::new();
    let limit = u64::try_from(max_bytes).unwrap_or(u64::MAX);
    let file = File::open(path).map_err(unreadable)?;
    file.take(limit.saturating_add(1)).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() > max_bytes {
        return Err(bad(path, &format!("larger than {max_bytes} bytes (--max-hostcall-bytes)")));
    }
    String::from_utf8(bytes).map_err(|error| {
        let text = String::from_utf8_lossy(error.as_bytes());
        bad_at(path, TextPosition::of(&text, error.utf8_error().valid_up_to()), "not UTF-8 text")
    })
}

fn parse_toml(path: &Path, text: &str) -> Result<Value, Error> {
    let table = text.parse::<toml::Table>().map_err(|error| {
        let position = TextPosition::of(text, error.span().map_or(0, |span| span.start));
        bad_at(path, position, &format!("not valid TOML: {}", error.message()))
    })?;
    Ok(from_toml(toml::Value::Table(table)))
}

fn parse_json(path: &Path, text: &str) -> Result<Value, Error> {
    serde_json::from_str(text).map_err(|error| {
        let message = error.to_string();
        // The position is said before it, with a column in characters rather than bytes.
        let reason = message.split(" at line ").next().unwrap_or_default();
        bad_at(path, json_position(text, &error), &format!("not valid JSON: {reason}"))
    })
}

/// The position of a syntax error, whose column counts bytes: that of the first wrong byte, or 0 before the first one of a line.
fn json_position(text: &str, error: &serde_json::Error) -> TextPosition {
    let lines = text.split_inclusive('\n').take(error.line().saturating_sub(1));
    let start: usize = lines.map(str::len).sum();
    TextPosition::of(text, start.saturating_add(error.column().saturating_sub(1)))
}

fn from_toml(value: toml::Value) -> Value {
    match value {
        toml::Value::String(text) => Value::String(text),
        toml::Value::Integer(number) => Value::Number(number.into()),
        toml::Value::Float(number) => {
            Number::from_f64(number).map_or_else(|| Value::String(number.to_string()), Value::Number)
        }
        toml::Value::Boolean(value) => Value::Bool(value),
        toml::Value::Datetime(time) => Value::String(time.to_string()),
        toml::Value::Array(items) => Value::Array(items.into_iter().map(from_toml).collect()),
        toml::Value::Table(table) => Value::Object(table.into_iter().map(|(k, v)| (k, from_toml(v))).collect()),
    }
}

/// The parsers limit the nesting of files, so the recursion is bounded.
fn flatten(key: String, value: Value, pairs: &mut Vec<(String, String)>) {
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                let key = if key.is_empty() { name } else { format!("{key}.{name}") };
                flatten(key, value, pairs);
            }
        }
        Value::Null => {}
        Value::String(text) => pairs.push((key, text)),
        other => pairs.push((key, other.to_string())),
    }
}

fn bad(path: &Path, problem: &str) -> Error {
    Error::new(ErrorKind::BadConfiguration, format!("configuration file {}: {problem}", path.display()))
}

fn bad_at(path: &Path, position: TextPosition, problem: &str) -> Error {
    Error::new(ErrorKind::BadConfiguration, format!("configuration file {}:{position}: {problem}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(name: &str, content: &[u8], max_bytes: usize) -> Result<Vec<(String, String)>, Error> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        std::fs::write(&path, content).unwrap();
        read(&path, Format::of(&path).unwrap(), max_bytes)
    }

    fn pairs(expected: &[(&str, &str)]) -> Vec<(String, String)> {
        expected.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn toml_and_json_say_the_same() {
        let toml = b"name = \"a\"\n[db]\nport = 5432\ntls = true\nhosts = [\"x\", \"y\"]\n[db.pool]\nratio = 0.5\n";
        let json = br#"{"name":"a","unset":null,"db":{"port":5432,"tls":true,"hosts":["x","y"],"pool":{"ratio":0.5}}}"#;
        let expected = pairs(&[
            ("db.hosts", r#"["x","y"]"#),
            ("db.pool.ratio", "0.5"),
            ("db.port", "5432"),
            ("db.tls", "true"),
            ("name", "a"),
        ]);
        assert_eq!(parse("a.toml", toml, 1000).unwrap(), expected);
        assert_eq!(parse("a.JSON", json, 1000).unwrap(), expected);
    }

    #[test]
    fn toml_values_that_json_lacks() {
        let read = parse("a.toml", b"a = 2026-01-02T03:04:05Z\nb = inf\n", 1000).unwrap();
        assert_eq!(read, pairs(&[("a", "2026-01-02T03:04:05Z"), ("b", "inf")]));
    }

    #[test]
    fn syntax_errors_name_the_position_and_no_value() {
        for (name, content, problem) in [
            ("a.toml", "a = 1\nb = s3cret\n".as_bytes(), "a.toml:2:5: not valid TOML: string values must be quoted"),
            ("a.toml", b"a = 1\na = 's3cret'\n", "a.toml:2:1: not valid TOML: duplicate key"),
            ("a.json", b"{\n\"a\": s3cret\n}", "a.json:2:6: not valid JSON: expected value"),
            ("a.json", "{\n\"ä\": s3cret\n}".as_bytes(), "a.json:2:6: not valid JSON: expected value"),
            ("a.json", b"{\"a\": 1,\n}", "a.json:2:1: not valid JSON: trailing comma"),
            ("a.json", b"{\"a\": \"s3cret\"\n", "a.json:2:1: not valid JSON: EOF while parsing an object"),
            ("a.json", b"{\"a\": \"s3cret", "a.json:1:13: not valid JSON: EOF while parsing a string"),
            ("a.json", b"", "a.json:1:1: not valid JSON: EOF while parsing a value"),
            ("a.json", b"{\n\"a\": \"s3cret\xff\"}", "a.json:2:13: not UTF-8 text"),
            ("a.toml", b"a = 1\nb = 's3cret\xff'\n", "a.toml:2:12: not UTF-8 text"),
        ] {
            let error = parse(name, content, 1000).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::BadConfiguration);
            assert!(error.to_string().contains(problem), "{error}");
            assert!(!error.to_string().contains("s3cret"), "{error}");
        }
    }

    #[test]
    fn a_key_that_two_spellings_share_is_refused() {
        let error = parse("a.toml", b"\"a.b\" = 1\n[a]\nb = 2\n", 1000).unwrap_err();
        assert!(error.to_string().ends_with("the key `a.b` is there twice"), "{error}");
        assert!(parse("a.json", b"[1]", 1000).unwrap_err().to_string().contains("object"));
    }

    #[test]
    fn sizes_at_the_edge() {
        assert!(parse("a.toml", b"a = 1", 6).is_ok());
        assert!(parse("a.toml", b"a = 1", 5).is_ok());
        assert_eq!(parse("a.toml", b"a = 1", 4).unwrap_err().kind(), ErrorKind::BadConfiguration);
    }

    #[test]
    fn missing_files() {
        let error = read(Path::new("no/such.toml"), Format::Toml, 10).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound);
        assert!(error.to_string().contains("no/such.toml"), "{error}");
    }
}
