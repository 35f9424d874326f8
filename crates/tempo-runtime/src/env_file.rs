//! Environment files: one `TEMPO_...=value` a line. Many programs read the same file, so lines that do not concern this one may
//! have any form.

use std::collections::BTreeMap;

use tempo_settings::{Error, ErrorKind, Flag, Value, ValueSource};

/// The flag that names the file.
pub(crate) const ENV_FILE: Flag =
    Flag::new("env-file", "FILE", "File of TEMPO_... variables [default: .env, if there is one]").of_process();

/// The variables of an environment file.
pub(crate) type Variables = BTreeMap<String, Value>;

/// Parses `bytes`, the contents of the file `path`: the variables whose names begin with `TEMPO_`, and those that are `known`.
/// Other lines are ignored.
///
/// # Errors
///
/// A line of such a variable is not `NAME=value`, or is not Unicode.
pub fn parse(bytes: &[u8], path: &str, known: impl Fn(&str) -> bool) -> Result<Variables, Error> {
    let mut variables = Variables::new();
    let text = utf_16(bytes);
    let bytes = text.as_ref().map_or(bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes), String::as_bytes);
    for (index, line) in bytes.split(|byte| *byte == b'\n').enumerate() {
        let line = String::from_utf8_lossy(line);
        let line = line.trim();
        let line = line.strip_prefix("export ").unwrap_or(line).trim_start();
        let (name, value) = line.split_once('=').map_or((line, None), |(name, value)| (name.trim_end(), Some(value)));
        if !(name.starts_with("TEMPO_") || known(name)) {
            continue;
        }
        let number = index.saturating_add(1);
        let bad = |problem: &str| Error::new(ErrorKind::BadConfiguration, format!("{path}:{number}: {problem}"));
        let value = value.ok_or_else(|| bad("expected NAME=value"))?;
        if value.contains(char::REPLACEMENT_CHARACTER) {
            return Err(bad("the value is not Unicode; save the file as UTF-8"));
        }
        let source = ValueSource::File { path: path.to_owned(), line: number };
        let value = unquote(value.trim()).ok_or_else(|| bad("the quote is not closed on this line"))?;
        variables.insert(name.to_owned(), Value { text: value.to_owned(), source });
    }
    Ok(variables)
}

/// Decodes UTF-16 with a byte order mark, which editors and shells of Windows write.
fn utf_16(bytes: &[u8]) -> Option<String> {
    let (bytes, unit): (_, fn([u8; 2]) -> u16) = match bytes {
        [0xff, 0xfe, rest @ ..] => (rest, u16::from_le_bytes),
        [0xfe, 0xff, rest @ ..] => (rest, u16::from_be_bytes),
        _ => return None,
    };
    let units = bytes.chunks_exact(2).filter_map(|pair| pair.first_chunk().copied()).map(unit);
    Some(char::decode_utf16(units).map(|character| character.unwrap_or(char::REPLACEMENT_CHARACTER)).collect())
}

/// Returns the value without its quotes, or `None` if the closing one is missing.
fn unquote(value: &str) -> Option<&str> {
    for quote in ['"', '\''] {
        if let Some(rest) = value.strip_prefix(quote) {
            return rest.strip_suffix(quote);
        }
    }
    Some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &[u8]) -> Result<Vec<(String, String)>, String> {
        let variables = parse(bytes, ".env", |name| name == "OTEL_X").map_err(|error| error.to_string())?;
        Ok(variables.into_iter().map(|(name, value)| (name, value.text)).collect())
    }

    fn pair(name: &str, text: &str) -> (String, String) {
        (name.to_owned(), text.to_owned())
    }

    #[test]
    fn lines_quotes_and_comments() {
        let text = b"# comment\n\nTEMPO_ADDR=a=b\r\nexport TEMPO_LOG = 'x y'\nOTEL_X=1\nOTHER=2\n";
        assert_eq!(read(text).unwrap(), [pair("OTEL_X", "1"), pair("TEMPO_ADDR", "a=b"), pair("TEMPO_LOG", "x y")]);
        let variables = parse(text, ".env", |_| false).unwrap();
        assert_eq!(variables["TEMPO_LOG"].source, ValueSource::File { path: ".env".into(), line: 4 });
    }

    #[test]
    fn lines_of_other_programs_may_have_any_form() {
        let lines = b"s3cret\nA\xff=\xfe\nB=\"-----BEGIN\nKEY-----\"\nset -a\n: ${X:?}\n=\n\0\0\nTEMPO_A=1";
        assert_eq!(read(lines).unwrap(), [pair("TEMPO_A", "1")]);
    }

    #[test]
    fn other_encodings_have_a_byte_order_mark() {
        let expected = [pair("TEMPO_A", "\u{e4}")];
        let text = "OTHER=1\r\nTEMPO_A=\u{e4}\r\n";
        assert_eq!(read(&[b"\xef\xbb\xbf", "TEMPO_A=\u{e4}".as_bytes()].concat()).unwrap(), expected);
        let units: Vec<u16> = "\u{feff}".encode_utf16().chain(text.encode_utf16()).collect();
        let little: Vec<u8> = units.iter().flat_map(|unit| unit.to_le_bytes()).collect();
        let big: Vec<u8> = units.iter().flat_map(|unit| unit.to_be_bytes()).collect();
        assert_eq!(read(&little).unwrap(), expected);
        assert_eq!(read(&big).unwrap(), expected);
        assert_eq!(read(&[&little[..], b"\x41"].concat()).unwrap(), expected, "half a unit at the end");
        let error = read(b"TEMPO_A=\xe4").unwrap_err();
        assert_eq!(error, ".env:1: the value is not Unicode; save the file as UTF-8");
    }

    #[test]
    fn the_error_of_a_bad_line_has_its_number_and_not_its_text() {
        assert_eq!(read(b"A=1\nTEMPO_S3CRET").unwrap_err(), ".env:2: expected NAME=value");
        for unclosed in ["TEMPO_A=\"1", "TEMPO_A='", "TEMPO_A='1\""] {
            assert_eq!(read(unclosed.as_bytes()).unwrap_err(), ".env:1: the quote is not closed on this line");
        }
    }
}
