//! The line that says what a component is granted, and by whom: a file that is found may grant what no one has typed.

use tempo_settings::{Flag, Place, Settings};

/// All grants with their places, without what may be a secret; nothing if there are none. With `from_files_only`, those
/// of files: who typed a grant knows of it.
pub fn line(flags: &[Flag], settings: &Settings, from_files_only: bool) -> Option<String> {
    let typed = |place: &Place| matches!(place, Place::CommandLine | Place::Environment | Place::Default);
    let mut grants: Vec<String> = Vec::new();
    for (flag, shown) in flags.iter().filter_map(|flag| flag.grants.map(|shown| (flag, shown))) {
        for value in settings.given(flag).iter().filter(|value| !from_files_only || !typed(&value.place)) {
            // Values of files may hold control characters.
            let text = shown.of(&value.text).escape_debug().to_string();
            let grant = format!("--{} {text} ({})", flag.name, value.place);
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
    use tempo_settings::{Shown, Value};

    #[test]
    fn every_grant_is_named_with_its_place_and_no_secret() {
        let env = Flag::new("env", "KEY=VALUE", "").repeatable().grants(Shown::Name);
        let dir = Flag::new("dir", "DIR", "").repeatable().grants(Shown::Whole);
        let other = Flag::new("addr", "ADDR", "");
        let mut settings = Settings::default();
        let value = |text: &str, place: Place| Value { text: text.to_owned(), place };
        let file = Place::SettingsFile { path: "tempo.toml".into(), line: 7 };
        settings.set(&env, vec![value("TOKEN=s3cret", Place::Environment)]);
        settings.set(&dir, vec![value("a::/a", Place::CommandLine), value("b::/b:rw", file)]);
        settings.set(&other, vec![value("127.0.0.1:1", Place::CommandLine)]);
        let flags = [env, dir, other];
        assert_eq!(
            line(&flags, &settings, false).unwrap(),
            "granted: --env TOKEN (environment); --dir a::/a (command line); --dir b::/b:rw (tempo.toml:7)"
        );
        assert_eq!(line(&flags, &settings, true).unwrap(), "granted: --dir b::/b:rw (tempo.toml:7)");
        assert_eq!(line(&flags, &Settings::default(), false), None);
    }
}
