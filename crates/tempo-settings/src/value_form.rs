//! `ValueForm`: the parts of a value that matter before it is parsed: its name, by which sources are merged, and its path,
//! which a settings file may give relative to itself.

use std::path::Path;

use crate::DEFAULT_NAME;

/// The form of a flag's values.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum ValueForm {
    /// A text without a name.
    #[default]
    Text,
    /// A path.
    Path,
    /// `KEY=VALUE`, whose name is `KEY`.
    KeyValue,
    /// `[NAME=]URL`, whose name is `default` if it is left out. The URL may be that of a file.
    NamedUrl,
    /// `[NAME=]FIRST[;KEY=VALUE]...`, whose name is all before the options.
    WithOptions,
    /// `HOST::GUEST[:MODE]`: the path `HOST`, under the name `GUEST`.
    Directory,
}

impl ValueForm {
    /// Returns the name of a value: of several sources with a value of this name, the one with the highest precedence sets it.
    /// A value without a name is its own.
    pub fn name_of(self, text: &str) -> &str {
        match self {
            Self::Text | Self::Path => text,
            Self::KeyValue => text.split_once('=').map_or(text, |(key, _)| key),
            // A name has no colon, and a URL has one before any equals sign of its own.
            Self::NamedUrl => {
                text.split_once('=').map(|(name, _)| name).filter(|name| !name.contains(':')).unwrap_or(DEFAULT_NAME)
            }
            Self::WithOptions => text.split(';').next().unwrap_or(text),
            Self::Directory => match text.split_once("::") {
                Some((_, guest)) => {
                    let guest = guest.rsplit_once(':').map_or(guest, |(guest, _)| guest);
                    Some(guest.trim_end_matches('/')).filter(|guest| !guest.is_empty()).unwrap_or(guest)
                }
                None => text,
            },
        }
    }

    /// Returns a value whose relative path goes by `folder`.
    pub fn relative_to(self, folder: &Path, text: &str) -> String {
        let join = |path: &str| folder.join(path).to_string_lossy().into_owned();
        match self {
            Self::Text | Self::KeyValue | Self::WithOptions => text.to_owned(),
            Self::Path if text.is_empty() => String::new(),
            Self::Path => join(text),
            Self::Directory => match text.split_once("::") {
                Some((host, guest)) if !host.is_empty() => format!("{}::{guest}", join(host)),
                _ => text.to_owned(),
            },
            Self::NamedUrl => {
                let (name, url) = match text.split_once('=') {
                    Some((name, url)) if !name.contains(':') => (Some(name), url),
                    _ => (None, text),
                };
                let scheme = url.split_once(':').filter(|(scheme, _)| scheme.eq_ignore_ascii_case("file"));
                let path =
                    scheme.map(|(_, path)| path).filter(|path| !path.is_empty() && !path.starts_with(['/', '?']));
                let Some(path) = path else { return text.to_owned() };
                // The path of a URL has no question mark and no such escape of its own.
                let folder = folder.to_string_lossy().replace('?', "%3F");
                let name = name.map(|name| format!("{name}=")).unwrap_or_default();
                format!("{name}file:{}", Path::new(&folder).join(path).to_string_lossy())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_have_names() {
        for (form, text, name) in [
            (ValueForm::Text, "https://a=b", "https://a=b"),
            (ValueForm::KeyValue, "a=b=c", "a"),
            (ValueForm::KeyValue, "a", "a"),
            (ValueForm::NamedUrl, "memory:", "default"),
            (ValueForm::NamedUrl, "file:/x=y", "default"),
            (ValueForm::NamedUrl, "b=file:/x=y", "b"),
            (ValueForm::WithOptions, "b=orders.>;ordered", "b=orders.>"),
            (ValueForm::Directory, "a:b::/data:rw", "/data"),
            (ValueForm::Directory, "a::/data", "/data"),
            (ValueForm::Directory, "a::/data//:ro", "/data"),
            (ValueForm::Directory, "a::/", "/"),
            (ValueForm::Directory, "a", "a"),
        ] {
            assert_eq!(form.name_of(text), name, "{text}");
        }
    }

    #[test]
    fn relative_paths_go_by_the_folder() {
        let folder = Path::new("conf/app");
        for (form, text, resolved) in [
            (ValueForm::Text, "a", "a"),
            (ValueForm::Path, "a", "conf/app/a"),
            (ValueForm::Path, "../a", "conf/app/../a"),
            (ValueForm::Path, "/a", "/a"),
            (ValueForm::Path, "", ""),
            (ValueForm::Directory, "data::/data:rw", "conf/app/data::/data:rw"),
            (ValueForm::Directory, "/data::/data", "/data::/data"),
            (ValueForm::Directory, "::/data", "::/data"),
            (ValueForm::NamedUrl, "file:./a?quota=1KiB", "file:conf/app/./a?quota=1KiB"),
            (ValueForm::NamedUrl, "b=file:a", "b=file:conf/app/a"),
            (ValueForm::NamedUrl, "file:/a", "file:/a"),
            (ValueForm::NamedUrl, "file:///a", "file:///a"),
            (ValueForm::NamedUrl, "memory:a", "memory:a"),
            (ValueForm::NamedUrl, "b=nats://h/file:a", "b=nats://h/file:a"),
        ] {
            assert_eq!(form.relative_to(folder, text), resolved, "{text}");
        }
        assert_eq!(ValueForm::NamedUrl.relative_to(Path::new("a?b"), "file:c"), "file:a%3Fb/c");
    }
}
