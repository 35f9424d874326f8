//! The log line that lists the grants of a component with their sources: a settings file that was found in the working
//! directory may grant something that the user did not type.

use tempo_settings::{Flag, Settings, ValueSource};

/// Returns a line with all grants and their sources, without possible secrets, or `None` without grants. With
/// `from_files_only`, lists only grants from files.
pub(crate) fn line(flags: &[Flag], settings: &Settings, from_files_only: bool) -> Option<String> {
    let in_file = |source: &ValueSource| matches!(source, ValueSource::File { .. } | ValueSource::SettingsFile { .. });
    let mut grants: Vec<String> = Vec::new();
    for (flag, disclosure) in flags.iter().filter_map(|flag| flag.grants.map(|disclosure| (flag, disclosure))) {
        for value in settings.raw_values(flag).iter().filter(|value| !from_files_only || in_file(&value.source)) {
            // Values of files may contain control characters.
            let text = disclosure.apply(&value.text).escape_debug().to_string();
            let grant = format!("--{} {text} ({})", flag.name, value.source);
            if !grants.contains(&grant) {
                grants.push(grant);
            }
        }
    }
    (!grants.is_empty()).then(|| format!("granted: {}", grants.join("; ")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use tempo_settings::{Disclosure, Value};

    #[test]
    fn every_grant_is_listed_with_its_source_and_without_secrets() {
        let env = Flag::new("env", "KEY=VALUE", "").repeatable().grants(Disclosure::Name);
        let dir = Flag::new("dir", "DIR", "").repeatable().grants(Disclosure::Whole);
        let other = Flag::new("addr", "ADDR", "");
        let mut settings = Settings::default();
        let value = |text: &str, source: ValueSource| Value { text: text.to_owned(), source };
        let file = ValueSource::SettingsFile { path: "tempo.toml".into(), line: 7 };
        settings.set(&env, vec![value("TOKEN=s3cret", ValueSource::Environment)]);
        settings.set(&dir, vec![value("a::/a", ValueSource::CommandLine), value("b::/b:rw", file)]);
        settings.set(&other, vec![value("127.0.0.1:1", ValueSource::CommandLine)]);
        let flags = [env, dir, other];
        assert_eq!(
            line(&flags, &settings, false).unwrap(),
            "granted: --env TOKEN (environment); --dir a::/a (command line); --dir b::/b:rw (tempo.toml:7)"
        );
        assert_eq!(line(&flags, &settings, true).unwrap(), "granted: --dir b::/b:rw (tempo.toml:7)");
        assert_eq!(line(&flags, &Settings::default(), false), None);
    }
}
