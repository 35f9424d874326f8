//! Finds the Debian mirror of this machine in its apt configuration, which has one of two formats.

use std::fs;
use std::path::{Path, PathBuf};

/// Debian's own mirror, for machines with a direct connection.
const DEFAULT: &str = "http://deb.debian.org/debian";

/// The keys of every Debian suite; a mirror's entry often names those of one suite only.
const KEYRING: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";

/// A mirror, with the verification of its packages.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Mirror {
    /// The URI of the archive, in apt's form.
    pub(super) uri: String,
    /// Its options for apt, as in `signed-by=/path`; empty for apt's defaults.
    options: Vec<String>,
}

impl Mirror {
    /// Returns the machine's first Debian archive, or Debian's own.
    pub(super) fn find() -> Self {
        let found = configuration().into_iter().find_map(|(path, text)| {
            if path.extension().is_some_and(|extension| extension == "sources") {
                deb822(&text)
            } else {
                one_line(&text)
            }
        });
        let mut mirror = found.unwrap_or_else(|| Self { uri: DEFAULT.to_owned(), options: Vec::new() });
        if Path::new(KEYRING).exists() {
            mirror.options.retain(|option| !option.starts_with("signed-by="));
            mirror.options.push(format!("signed-by={KEYRING}"));
        }
        mirror
    }

    /// Returns a line of a sources list.
    pub(super) fn source(&self, suite: &str) -> String {
        let options = if self.options.is_empty() { String::new() } else { format!("[{}] ", self.options.join(" ")) };
        format!("deb {options}{} {suite} main\n", self.uri)
    }
}

fn configuration() -> Vec<(PathBuf, String)> {
    let mut paths = vec![PathBuf::from("/etc/apt/sources.list")];
    if let Ok(entries) = fs::read_dir("/etc/apt/sources.list.d") {
        let mut parts: Vec<_> = entries.flatten().map(|entry| entry.path()).collect();
        parts.retain(|path| path.extension().is_some_and(|extension| extension == "list" || extension == "sources"));
        parts.sort();
        paths.append(&mut parts);
    }
    paths.into_iter().filter_map(|path| Some((path.clone(), fs::read_to_string(path).ok()?))).collect()
}

/// Returns true if a URI is a Debian archive with all suites: not the security archive, nor a third-party one.
fn is_archive(uri: &str) -> bool {
    let path = uri.trim_end_matches('/');
    path.ends_with("/debian") || path.ends_with("debian.list")
}

/// Parses the format `deb [options] URI SUITE COMPONENT...`.
fn one_line(text: &str) -> Option<Mirror> {
    text.lines().find_map(|line| {
        let rest = line.trim().strip_prefix("deb")?.strip_prefix(char::is_whitespace)?.trim_start();
        let (options, rest) = match rest.strip_prefix('[') {
            Some(bracketed) => bracketed.split_once(']')?,
            None => ("", rest),
        };
        let mut words = rest.split_whitespace();
        let uri = words.next().filter(|uri| is_archive(uri))?;
        let main = words.skip(1).any(|component| component == "main");
        let kept = |option: &&str| option.starts_with("signed-by=") || option.starts_with("trusted=");
        let options = options.split_whitespace().filter(kept).map(str::to_owned).collect();
        main.then(|| Mirror { uri: uri.to_owned(), options })
    })
}

/// Parses the format of stanzas with fields (`URIs: ...`).
fn deb822(text: &str) -> Option<Mirror> {
    let uncommented: Vec<&str> = text.lines().filter(|line| !line.starts_with('#')).collect();
    uncommented.split(|line| line.trim().is_empty()).find_map(|stanza| {
        let field = |name: &str| {
            stanza.iter().find_map(|line| {
                let (field, value) = line.split_once(':')?;
                field.eq_ignore_ascii_case(name).then_some(value.trim())
            })
        };
        let lists =
            |name: &str, word: &str| field(name).is_some_and(|value| value.split_whitespace().any(|w| w == word));
        if !lists("Types", "deb") || !lists("Components", "main") || lists("Enabled", "no") {
            return None;
        }
        let uri = field("URIs")?.split_whitespace().find(|uri| is_archive(uri))?;
        // The stanza may contain the key itself; then the machine's keyrings apply.
        let signed = field("Signed-By").filter(|value| value.starts_with('/')).map(|path| format!("signed-by={path}"));
        let trusted = field("Trusted").map(|value| format!("trusted={value}"));
        Some(Mirror { uri: uri.to_owned(), options: signed.into_iter().chain(trusted).collect() })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_one_line_format() {
        let text = "# deb http://commented.example/debian trixie main\n\
                    deb https://apt.example.org/node nodistro main\n\
                    deb http://security.debian.org/debian-security bookworm-security main\n\
                    deb-src http://sources.example/debian bookworm main\n\
                    deb [arch=amd64 signed-by=/k.gpg] https://mirror.example/debian/ bookworm main contrib\n";
        let mirror = one_line(text).unwrap();
        assert_eq!(mirror.source("sid"), "deb [signed-by=/k.gpg] https://mirror.example/debian/ sid main\n");
    }

    #[test]
    fn the_stanza_format() {
        let text = "Types: deb\n# URIs: http://commented.example/debian\nURIs: http://deb.example/debian-security\n\
                    Suites: bookworm-security\nComponents: main\n\n\
                    Enabled: no\nTypes: deb\nURIs: http://off.example/debian\nComponents: main\n\n\
                    Types: deb deb-src\nURIs: http://mirror.example/debian\nSuites: bookworm\nComponents: main\n\
                    Trusted: yes\n";
        let mirror = deb822(text).unwrap();
        assert_eq!(mirror.source("sid"), "deb [trusted=yes] http://mirror.example/debian sid main\n");
    }

    #[test]
    fn another_distribution_has_no_mirror_of_debian() {
        assert_eq!(one_line("deb http://archive.ubuntu.com/ubuntu noble main\n"), None);
        assert_eq!(deb822("Types: deb\nURIs: http://archive.ubuntu.com/ubuntu\nComponents: main\n"), None);
    }
}
