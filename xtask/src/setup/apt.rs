//! apt with a separate sources list, lists and cache: it fetches packages without installing them, as any user, and
//! without changing the machine's configuration.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use super::mirror::Mirror;
use crate::shell::{self, say};

/// Keeps the machine's settings (proxies, timeouts), and removes its hooks, which would change the machine's caches.
const SETTINGS: &str = r#"#clear APT::Update::Pre-Invoke;
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
#clear DPkg::Post-Invoke;
#clear Acquire::IndexTargets::deb::DEP-11;
#clear Acquire::IndexTargets::deb::CNF;
Acquire::Languages "none";
Acquire::Retries "3";
Dir::Cache::pkgcache "";
Dir::Cache::srcpkgcache "";
"#;

/// A suite of a mirror, with its lists fetched.
#[derive(Debug)]
pub(super) struct Suite {
    dir: PathBuf,
    name: String,
}

impl Suite {
    /// Fetches the lists of a suite into a separate directory.
    pub(super) fn open(mirror: &Mirror, name: &str, scratch: &Path) -> Result<Self> {
        let suite = Self { dir: scratch.join("apt").join(name), name: name.to_owned() };
        for part in ["lists/partial", "cache/archives/partial", "none"] {
            fs::create_dir_all(suite.dir.join(part))
                .with_context(|| format!("cannot create {}", suite.dir.join(part).display()))?;
        }
        fs::write(suite.dir.join("apt.conf"), suite.settings())?;
        fs::write(suite.dir.join("sources.list"), mirror.source(name))?;
        say(&format!("reading Debian's {name} at {}", mirror.uri));
        shell::run(suite.apt("apt-get").args(["--quiet", "--error-on=any", "update"]))?;
        Ok(suite)
    }

    /// Returns the newest version of a package that starts with `prefix`.
    pub(super) fn version(&self, package: &str, prefix: &str) -> Result<Option<String>> {
        let table = shell::read(self.apt("apt-cache").args(["madison", package]))?;
        Ok(newest(&table, prefix))
    }

    /// Returns a package and its missing dependencies, each with its version.
    pub(super) fn with_dependencies(&self, package: &str) -> Result<Vec<(String, String)>> {
        let mut apt = self.apt("apt-get");
        let list =
            shell::read(apt.args(["--quiet", "--yes", "--no-install-recommends", "--print-uris", "install", package]))?;
        Ok(list.lines().filter_map(file).collect())
    }

    /// Fetches a package and unpacks it below `into`.
    pub(super) fn unpack(&self, package: &str, version: &str, into: &Path) -> Result<()> {
        self.unpack_all(&[(package.to_owned(), version.to_owned())], into)
    }

    /// Fetches packages, each with its version, and unpacks them below `into`.
    pub(super) fn unpack_all(&self, packages: &[(String, String)], into: &Path) -> Result<()> {
        let fetched = self.dir.join("debs");
        fs::create_dir_all(&fetched)?;
        let pins = packages.iter().map(|(package, version)| format!("{package}={version}"));
        // apt verifies the checksum, also of a file from an earlier run.
        shell::run(self.apt("apt-get").args(["--quiet", "download"]).args(pins).current_dir(&fetched))?;
        for (package, version) in packages {
            let deb = fs::read_dir(&fetched)?
                .flatten()
                .map(|entry| entry.path())
                .find(|path| is_deb(path, package, version))
                .with_context(|| format!("apt-get left no file of {package}={version} in {}", fetched.display()))?;
            shell::run(Command::new("dpkg").arg("-x").arg(&deb).arg(into))?;
        }
        Ok(())
    }

    fn apt(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.arg("--config-file").arg(self.dir.join("apt.conf"));
        command
    }

    fn settings(&self) -> String {
        let directories = [
            ("Dir::Etc::sourcelist", "sources.list"),
            ("Dir::Etc::sourceparts", "none"),
            ("Dir::Etc::preferences", "no-file"),
            ("Dir::Etc::preferencesparts", "none"),
            ("Dir::State::lists", "lists"),
            ("Dir::Cache", "cache"),
        ];
        let lines = directories.map(|(name, part)| format!("{name} \"{}\";\n", self.dir.join(part).display()));
        format!("{SETTINGS}{}", lines.concat())
    }

    /// Returns the version of a package that is independent of the compiler's.
    pub(super) fn any_version(&self, package: &str) -> Result<String> {
        match self.version(package, "")? {
            Some(version) => Ok(version),
            None => bail!("Debian's {} has no {package}", self.name),
        }
    }
}

/// Parses `package | version | source` lines, which apt-cache sorts with the newest first.
fn newest(table: &str, prefix: &str) -> Option<String> {
    let versions = table.lines().filter_map(|line| line.split('|').nth(1)).map(str::trim);
    versions.filter(|version| version.starts_with(prefix)).map(str::to_owned).next()
}

/// Parses `'URI' package_version_architecture.deb size checksum` lines; other lines are apt's messages.
fn file(line: &str) -> Option<(String, String)> {
    let mut words = line.strip_prefix('\'')?.split_whitespace().skip(1);
    let mut parts = words.next()?.split('_');
    let (package, version) = (parts.next()?, parts.next()?);
    Some((package.to_owned(), version.replace("%3a", ":")))
}

fn is_deb(path: &Path, package: &str, version: &str) -> bool {
    // File names contain %3a for an epoch's colon.
    let start = format!("{package}_{}_", version.replace(':', "%3a"));
    path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(&start))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_of_the_compiler_is_chosen() {
        let table = "  rust-src | 1.96.1+dfsg1-2 | http://deb.debian.org/debian sid/main amd64 Packages\n\
                     \x20 rust-src | 1.95.0+dfsg1-2~bpo13+1 | http://deb.debian.org/debian sid/main amd64 Packages\n";
        assert_eq!(newest(table, "1.95.0+").as_deref(), Some("1.95.0+dfsg1-2~bpo13+1"));
        assert_eq!(newest(table, "").as_deref(), Some("1.96.1+dfsg1-2"));
        assert_eq!(newest(table, "1.9.0+"), None);
    }

    #[test]
    fn what_apt_would_fetch_is_read_from_its_list() {
        let list = "Reading package lists...\n\
                    'http://deb.debian.org/debian/pool/main/n/nss/libnss3_3.87.1-1_amd64.deb' \
                    libnss3_2%3a3.87.1-1_amd64.deb 1332396 MD5Sum:0\n";
        let read: Vec<_> = list.lines().filter_map(file).collect();
        assert_eq!(read, [("libnss3".to_owned(), "2:3.87.1-1".to_owned())]);
    }
}
