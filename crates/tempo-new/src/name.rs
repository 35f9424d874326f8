//! `ProjectName`: the name of a project, which is also that of its component, its package and its folder.

use std::fmt;

use tempo_settings::{Error, ErrorKind};

/// Maximum length: that of a label in the domain name system, because the names of components are parts of host names.
const MAX_NAME_BYTES: usize = 63;

/// Names that Cargo refuses for a package: keywords, crates of the standard library, and folders of its target directory. With
/// the dependencies of the templates: a package cannot have the name of its dependency.
const RESERVED: &str = "\
    abstract alloc as async await become box break build const continue core crate deps do dyn else enum examples \
    extern false final fn for gen http http-body-util if impl in incremental let loop macro match mod move mut \
    override priv proc-macro pub ref return self static std struct super test trait true try type typeof unsafe \
    unsized use virtual wasip3 where while wit-bindgen yield";

/// Names of devices, which cannot be files on Windows.
const DEVICES: &[&str] = &["aux", "con", "nul", "prn"];

/// A name that is valid for a component of an app, a package of Cargo, npm and Python, a folder, and a part of a host name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ProjectName(String);

impl ProjectName {
    /// Checks `text`.
    ///
    /// # Errors
    ///
    /// Returns a [`Usage`](ErrorKind::Usage) error with the rule that `text` breaks.
    pub(crate) fn parse(text: &str) -> Result<Self, Error> {
        let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        let problem = if !text.bytes().all(is_plain)
            || !text.starts_with(|first: char| first.is_ascii_lowercase())
            || text.ends_with('-')
            || text.len() > MAX_NAME_BYTES
        {
            "expected a lower-case letter, followed by up to 62 lower-case letters, digits and `-` between them"
        } else if is_reserved(text) || is_device(text) {
            "this name is reserved"
        } else {
            return Ok(Self(text.to_owned()));
        };
        let shown: String = text.chars().take(MAX_NAME_BYTES).flat_map(char::escape_debug).collect();
        Err(Error::new(ErrorKind::Usage, format!("NAME: {shown}: {problem}")).with_advice("choose another name"))
    }

    /// Returns the name of the library's file, which has `_` for `-`.
    pub(crate) fn library(&self) -> String {
        self.0.replace('-', "_")
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ProjectName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Returns true for the names of [`RESERVED`].
fn is_reserved(text: &str) -> bool {
    RESERVED.split(' ').any(|name| name == text)
}

/// Returns true for the devices and `com0` to `com9`, `lpt0` to `lpt9`.
fn is_device(text: &str) -> bool {
    let port = text.strip_prefix("com").or_else(|| text.strip_prefix("lpt"));
    DEVICES.contains(&text)
        || port.is_some_and(|rest| rest.len() == 1 && rest.bytes().all(|byte| byte.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::template::Template;

    #[test]
    fn the_form_of_a_name() {
        for name in ["a", "api", "my-app", "v2", "a--b", &"a".repeat(63)] {
            assert_eq!(ProjectName::parse(name).map(|name| name.to_string()).as_deref(), Ok(name));
        }
        for name in ["", "-a", "a-", "2a", "A", "a_b", "a.b", "a b", "\u{e4}", "a\n", &"a".repeat(64)] {
            let error = ProjectName::parse(name).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Usage, "{name:?}");
            assert!(!error.to_string().contains('\n'), "{error}");
        }
        assert_eq!(ProjectName::parse("my-app").unwrap().library(), "my_app");
    }

    #[test]
    fn reserved_names() {
        for name in ["self", "test", "std", "proc-macro", "deps", "con", "com1", "lpt9"] {
            let error = ProjectName::parse(name).unwrap_err().to_string();
            assert_eq!(error, format!("NAME: {name}: this name is reserved; choose another name"));
        }
        for name in ["com", "com10", "lpt", "tests", "standard"] {
            assert!(ProjectName::parse(name).is_ok(), "{name}");
        }
    }

    #[test]
    fn the_dependencies_of_the_templates_are_reserved() {
        let manifests = Template::ALL.iter().flat_map(|template| template.files());
        for file in manifests.filter(|file| file.path.ends_with("Cargo.toml")) {
            let manifest: toml::Table = file.text.parse().unwrap();
            for name in manifest
                .get("dependencies")
                .and_then(|table| table.as_table())
                .into_iter()
                .flat_map(|table| table.keys())
            {
                assert!(is_reserved(name), "{name}");
            }
        }
    }
}
