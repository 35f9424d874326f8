//! The values in a variable of a repeatable flag, which commas separate.

use tempo_settings::{Error, Flag, Value, ValueForm, ValueSource};

/// Splits the values of a repeatable flag at commas; `\,` is a comma within a value. In `KEY=VALUE`, `\=` is an equals sign
/// within a value.
///
/// # Errors
///
/// A value before a comma has an equals sign: `dsn=host=x,port=1` may be one value or two.
pub(crate) fn split(flag: &Flag, text: &str, source: &ValueSource) -> Result<Vec<Value>, Error> {
    let value = |text: String| Value { text, source: source.clone() };
    if !flag.repeatable {
        return Ok(vec![value(text.to_owned())]);
    }
    let pairs = flag.form == ValueForm::KeyValue;
    let (mut values, mut current, mut signs) = (Vec::new(), String::new(), 0_usize);
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        match (character, characters.peek()) {
            ('\\', Some(',')) => current.extend(characters.next()),
            ('\\', Some('=')) if pairs => current.extend(characters.next()),
            (',', _) => {
                if pairs && signs > 1 {
                    let problem = "a comma separates values: write `\\,` for a comma within a value, and `\\=` for an \
                                   equals sign within a value before a comma";
                    return Err(value(String::new()).invalid(flag, problem));
                }
                values.push(std::mem::take(&mut current));
                signs = 0;
            }
            _ => {
                signs = signs.saturating_add(usize::from(character == '='));
                current.push(character);
            }
        }
    }
    values.push(current);
    Ok(values.into_iter().filter(|text| !text.is_empty()).map(value).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONFIG: Flag = Flag::new("config", "KEY=VALUE", "").repeatable().form(ValueForm::KeyValue);
    const URLS: Flag = Flag::new("allow-http", "URL", "").repeatable();

    fn texts(flag: &Flag, text: &str) -> Result<Vec<String>, String> {
        let values = split(flag, text, &ValueSource::Environment).map_err(|error| error.to_string())?;
        Ok(values.into_iter().map(|value| value.text).collect())
    }

    #[test]
    fn commas_separate_the_values_of_repeatable_flags() {
        assert_eq!(texts(&CONFIG, r"a=1,b=2\,3,c=\d").unwrap(), ["a=1", "b=2,3", r"c=\d"]);
        assert_eq!(texts(&CONFIG, "").unwrap(), Vec::<String>::new());
        assert_eq!(texts(&URLS, r"https://a?b=c=d,https://b\=").unwrap(), ["https://a?b=c=d", r"https://b\="]);
        assert_eq!(texts(&Flag::new("x", "X", ""), "a,b").unwrap(), ["a,b"]);
    }

    #[test]
    fn a_value_that_may_be_two_is_refused() {
        for ambiguous in ["dsn=host=x,port=1", "a=1,dsn=host=x,port=1", "a=b=,c=d"] {
            let error = texts(&CONFIG, ambiguous).unwrap_err();
            assert!(error.starts_with("TEMPO_CONFIG: a comma separates values: write `\\,`"), "{error}");
            assert!(!error.contains("host"), "{error}");
        }
        assert_eq!(texts(&CONFIG, r"dsn=host=x\,port=1").unwrap(), ["dsn=host=x,port=1"]);
        assert_eq!(texts(&CONFIG, r"dsn=host\=x,port=1").unwrap(), ["dsn=host=x", "port=1"]);
        assert_eq!(texts(&CONFIG, "port=1,dsn=host=x").unwrap(), ["port=1", "dsn=host=x"], "no comma follows");
    }
}
