//! `Variables`: the backend with the values of `--config` and `--config-file`.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use tempo_core::{Backend, BootContext, Limits, StoreContext};
use tempo_settings::{Disclosure, Error, ErrorKind, Flag, KeyValue, Settings, ValueForm};

use crate::file::{Format, read};
use crate::store::{MAX_KEY, size};
use crate::telemetry::instrument;
use crate::{ConfigCtx, Values, WasiConfig};

const CONFIG: Flag =
    Flag::new("config", "KEY=VALUE", "A value the component reads through wasi:config; wins over --config-file")
        .repeatable()
        .form(ValueForm::KeyValue)
        .of::<KeyValue>()
        .grants(Disclosure::Name);
const CONFIG_FILE: Flag =
    Flag::new("config-file", "FILE", "A .toml or .json file of such values; nested tables are joined with dots")
        .form(ValueForm::Path)
        .read_once()
        .of::<PathBuf>();

/// The values of `--config` and `--config-file`. A component sees only these, never the environment of the process.
#[derive(Clone, Debug)]
pub struct Variables {
    state: ConfigCtx,
}

impl Backend<WasiConfig> for Variables {
    fn flags() -> Vec<Flag> {
        vec![CONFIG, CONFIG_FILE]
    }

    fn check(boot: BootContext<'_>) -> Vec<Error> {
        let BootContext { settings, limits, is_used, .. } = boot;
        let of_file = if is_used { collect(settings, limits).err() } else { file(settings).err() };
        let of_flag = given(settings).err().filter(|error| of_file.as_ref() != Some(error));
        of_file.into_iter().chain(of_flag).collect()
    }

    async fn connect(boot: BootContext<'_>) -> tempo_settings::Result<Self> {
        let values = collect(boot.settings, boot.limits)?;
        Ok(Self { state: ConfigCtx::new(instrument(boot.telemetry, Arc::new(values)), boot.limits) })
    }

    fn state(&self, _: &StoreContext) -> ConfigCtx {
        self.state.clone()
    }
}

/// Reads `--config-file`, then `--config`, which takes precedence.
fn collect(settings: &Settings, limits: &Limits) -> Result<Values, Error> {
    let max_bytes = limits.hostcall_bytes;
    let mut values = Values::default();
    if let Some((path, format)) = file(settings)? {
        let pairs = read(&path, format, max_bytes)?;
        if pairs.iter().any(|(key, _)| !fits(key)) {
            return Err(bad_key(&path));
        }
        values.extend(pairs);
    }
    values.extend(given(settings)?.into_iter().map(|pair| (pair.key, pair.value)));
    if size(values.pairs()) > max_bytes {
        let problem =
            format!("the values of --config and --config-file exceed {max_bytes} bytes (--max-hostcall-bytes)");
        return Err(Error::new(ErrorKind::BadConfiguration, problem));
    }
    Ok(values)
}

/// Returns the file of `--config-file` and its format.
fn file(settings: &Settings) -> Result<Option<(PathBuf, Format)>, Error> {
    let Some(path) = settings.get::<PathBuf>(&CONFIG_FILE)? else { return Ok(None) };
    match Format::of(&path) {
        Some(format) => Ok(Some((path, format))),
        None => Err(settings.invalid(&CONFIG_FILE, "expected a file name that ends in .toml or .json")),
    }
}

/// Returns the values of `--config`.
fn given(settings: &Settings) -> Result<Vec<KeyValue>, Error> {
    let given = settings.all::<KeyValue>(&CONFIG)?;
    if given.iter().any(|pair| !fits(&pair.key)) {
        return Err(settings.invalid(&CONFIG, &format!("a key must have between 1 and {MAX_KEY} bytes")));
    }
    Ok(given)
}

fn fits(key: &str) -> bool {
    (1..=MAX_KEY).contains(&key.len())
}

fn bad_key(path: &Path) -> Error {
    let problem = format!("configuration file {}: a key must have between 1 and {MAX_KEY} bytes", path.display());
    Error::new(ErrorKind::BadConfiguration, problem)
}

#[cfg(test)]
mod tests {
    use tempo_settings::{Value, ValueSource};

    use super::*;
    use tempo_backend::ByteBudget;

    fn settings(pairs: &[&str], file: Option<&Path>) -> Settings {
        let value = |text: &str| Value { text: text.to_owned(), source: ValueSource::CommandLine };
        let mut settings = Settings::default();
        settings.set(&CONFIG, pairs.iter().map(|text| value(text)).collect());
        if let Some(file) = file {
            settings.set(&CONFIG_FILE, vec![value(file.to_str().unwrap())]);
        }
        settings
    }

    fn limits(hostcall_bytes: usize) -> Limits {
        let mut limits = Limits::default();
        limits.hostcall_bytes = hostcall_bytes;
        limits
    }

    async fn connect(settings: &Settings, limits: &Limits) -> tempo_settings::Result<Vec<(String, String)>> {
        let backend = Variables::connect(BootContext::new("test", limits, settings)).await?;
        let state = backend.state(&StoreContext::new(ByteBudget::new(0)));
        state.view().configuration.get_all().await.map_err(Error::internal)
    }

    #[tokio::test]
    async fn the_flag_wins_over_the_file_and_the_last_over_the_first() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("c.toml");
        std::fs::write(&path, "a = 1\nb = 1\nc = 1\n").unwrap();
        let pairs = connect(&settings(&["b=2", "c=2", "c=x=3"], Some(&path)), &limits(1000)).await.unwrap();
        let expected = [("a", "1"), ("b", "2"), ("c", "x=3")].map(|(key, value)| (key.to_owned(), value.to_owned()));
        assert_eq!(pairs, expected);
    }

    #[tokio::test]
    async fn without_flags_there_is_nothing() {
        assert_eq!(connect(&Settings::default(), &limits(1000)).await.unwrap(), []);
    }

    #[test]
    fn keys_at_the_edge() {
        let pair = |length: usize| format!("{}=v", "k".repeat(length));
        assert!(collect(&settings(&[&pair(MAX_KEY - 1)], None), &limits(1000)).is_ok());
        assert!(collect(&settings(&[&pair(MAX_KEY)], None), &limits(1000)).is_ok());
        let error = collect(&settings(&[&pair(MAX_KEY + 1)], None), &limits(1000)).unwrap_err();
        assert_eq!(error.to_string(), "--config: a key must have between 1 and 512 bytes");
    }

    #[test]
    fn the_whole_at_the_edge() {
        // One pair has 1 + 3 + 16 bytes.
        assert!(collect(&settings(&["k=abc"], None), &limits(21)).is_ok());
        assert!(collect(&settings(&["k=abc"], None), &limits(20)).is_ok());
        let error = collect(&settings(&["k=abc"], None), &limits(19)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::BadConfiguration);
        assert!(!error.to_string().contains("abc"));
    }

    #[test]
    fn file_names_without_a_known_ending() {
        let error = collect(&settings(&[], Some(Path::new("config.yaml"))), &limits(1000)).unwrap_err();
        assert_eq!(error.to_string(), "--config-file: expected a file name that ends in .toml or .json");
    }

    #[test]
    fn a_bad_pair_is_not_repeated() {
        let error = collect(&settings(&["s3cret"], None), &limits(1000)).unwrap_err();
        assert_eq!(error.to_string(), "--config: expected KEY=VALUE");
    }
}
