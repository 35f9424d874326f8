//! Programs from Debian's packages: Chromium for the tests of the dashboard, promtool for the metrics, and valgrind for
//! `cargo xtask bench count`. They are the machine's, or unpacked below the target directory; nothing is installed.

use std::env::consts::EXE_SUFFIX;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use super::apt::Suite;
use super::mirror::Mirror;
use crate::names::{CHROMIUM, PROMTOOL, VALGRIND};
use crate::shell::{self, say};

/// The names of a machine's Chromium, the smallest first.
const CHROMIUMS: &[&str] = &["chromium-headless-shell", "chromium", "google-chrome", "chromium-browser"];
/// The package of the one without a display.
const CHROMIUM_PACKAGE: &str = "chromium-headless-shell";
/// The package of promtool.
const PROMTOOL_PACKAGE: &str = "prometheus";

/// A launcher that finds valgrind's tools, wherever the directory is moved to.
const VALGRIND_LAUNCHER: &str = r#"#!/bin/sh
root=$(dirname "$(dirname "$(readlink -f "$0")")")/valgrind/usr
export VALGRIND_LIB="$root/libexec/valgrind"
exec "$root/bin/valgrind.bin" "$@"
"#;

/// A launcher that finds the libraries that were unpacked with Chromium, wherever the directory is moved to.
const LAUNCHER: &str = r#"#!/bin/sh
root=$(dirname "$(dirname "$(readlink -f "$0")")")/chromium/usr/lib
for libraries in "$root"/*-linux-gnu*/pulseaudio "$root"/*-linux-gnu*; do
    LD_LIBRARY_PATH=$libraries${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
done
export LD_LIBRARY_PATH
exec "$root/chromium/chromium-headless-shell" "$@"
"#;

/// Returns the Chromium in the variable, on the path, or the one that was unpacked below `tools` before.
pub(super) fn find_chromium(tools: &Path) -> Option<PathBuf> {
    find(CHROMIUM, CHROMIUMS, installed(tools, "chromium"))
}

/// Returns the promtool in the variable, on the path, or the one that was unpacked below `tools` before.
pub(super) fn find_promtool(tools: &Path) -> Option<PathBuf> {
    find(PROMTOOL, &["promtool"], installed(tools, "promtool"))
}

/// Unpacks Chromium with the missing libraries.
pub(super) fn install_chromium(tools: &Path, scratch: &Path) -> Result<PathBuf> {
    let target = installed(tools, "chromium");
    say(&format!("unpacking Chromium, which the tests of the dashboard start, below {}", tools.display()));
    let suite = suite(scratch).context(advice("Chromium", CHROMIUM))?;
    let packages = suite.with_dependencies(CHROMIUM_PACKAGE).context(advice("Chromium", CHROMIUM))?;
    let (unpacked, tree) = (scratch.join("chromium"), tools.join("chromium"));
    clear(&unpacked)?;
    suite.unpack_all(&packages, &unpacked)?;
    clear(&unpacked.join("usr/share"))?;
    clear(&tree)?;
    fs::create_dir_all(tools.join("bin"))?;
    fs::rename(&unpacked, &tree).with_context(|| format!("cannot put Chromium at {}", tree.display()))?;
    let launcher = scratch.join("launcher");
    fs::write(&launcher, LAUNCHER)?;
    put_in_place(&launcher, &target)?;
    clear(&scratch.join("apt"))?;
    if !runs(&target) {
        bail!("Chromium does not run on this machine; {}", advice("Chromium", CHROMIUM));
    }
    Ok(target)
}

/// Unpacks promtool, which needs no libraries, without the rest of Prometheus.
pub(super) fn install_promtool(tools: &Path, scratch: &Path) -> Result<PathBuf> {
    let target = installed(tools, "promtool");
    say(&format!("unpacking promtool, which the tests of the metrics start, below {}", tools.display()));
    let suite = suite(scratch).context(advice("promtool", PROMTOOL))?;
    let unpacked = scratch.join("prometheus");
    clear(&unpacked)?;
    suite.unpack(PROMTOOL_PACKAGE, &suite.any_version(PROMTOOL_PACKAGE)?, &unpacked)?;
    fs::create_dir_all(tools.join("bin"))?;
    put_in_place(&unpacked.join("usr/bin/promtool"), &target)?;
    clear(&unpacked)?;
    clear(&scratch.join("apt"))?;
    if !runs(&target) {
        bail!("promtool does not run on this machine; {}", advice("promtool", PROMTOOL));
    }
    Ok(target)
}

/// Returns the valgrind in the variable, on the path, or the one that was unpacked below `tools` before.
pub(super) fn find_valgrind(tools: &Path) -> Option<PathBuf> {
    find(VALGRIND, &["valgrind"], installed(tools, "valgrind"))
}

/// Unpacks valgrind with its tools, and puts `vgdb`, its control program, beside it.
pub(super) fn install_valgrind(tools: &Path, scratch: &Path) -> Result<PathBuf> {
    let target = installed(tools, "valgrind");
    say(&format!("unpacking valgrind, which counts instructions, below {}", tools.display()));
    let suite = suite(scratch).context(advice("valgrind", VALGRIND))?;
    let (unpacked, tree) = (scratch.join("valgrind"), tools.join("valgrind"));
    clear(&unpacked)?;
    suite.unpack("valgrind", &suite.any_version("valgrind")?, &unpacked)?;
    clear(&unpacked.join("usr/share"))?;
    clear(&tree)?;
    fs::create_dir_all(tools.join("bin"))?;
    fs::rename(&unpacked, &tree).with_context(|| format!("cannot put valgrind at {}", tree.display()))?;
    put_in_place(&tree.join("usr/bin/vgdb"), &installed(tools, "vgdb"))?;
    let launcher = scratch.join("launcher");
    fs::write(&launcher, VALGRIND_LAUNCHER)?;
    put_in_place(&launcher, &target)?;
    clear(&scratch.join("apt"))?;
    if !runs(&target) {
        bail!("valgrind does not run on this machine; {}", advice("valgrind", VALGRIND));
    }
    Ok(target)
}

/// Returns the suite of this machine: its programs fit the installed libraries.
fn suite(scratch: &Path) -> Result<Suite> {
    if !shell::has("apt-get") || !shell::has("dpkg") {
        bail!("this is not a Debian system");
    }
    let about = fs::read_to_string("/etc/os-release").context("cannot read /etc/os-release")?;
    let name = codename(&about).context("this is no release of Debian")?;
    Suite::open(&Mirror::find(), name, scratch)
}

/// Returns Debian's codename of a release, as in `bookworm`.
fn codename(about: &str) -> Option<&str> {
    let field = |name: &str| about.lines().find_map(|line| Some(line.strip_prefix(name)?.trim_matches('"')));
    (field("ID=") == Some("debian")).then(|| field("VERSION_CODENAME=")).flatten()
}

fn find(variable: &str, names: &[&str], own: PathBuf) -> Option<PathBuf> {
    if let Some(named) = std::env::var_os(variable) {
        return Some(named.into());
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    let directories: Vec<_> = std::env::split_paths(&path).collect();
    let of_machine = names.iter().flat_map(|name| {
        let name = format!("{name}{EXE_SUFFIX}");
        directories.iter().map(move |directory| directory.join(&name)).filter(|program| program.is_file())
    });
    of_machine.chain(Some(own)).find(|program| runs(program))
}

fn runs(program: &Path) -> bool {
    let mut command = Command::new(program);
    command.arg("--version").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

fn advice(name: &str, variable: &str) -> String {
    format!("install {name} so that it is on the path, or name one by {variable}")
}

fn installed(tools: &Path, name: &str) -> PathBuf {
    tools.join("bin").join(format!("{name}{EXE_SUFFIX}"))
}

fn put_in_place(program: &Path, target: &Path) -> Result<()> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        fs::set_permissions(program, fs::Permissions::from_mode(0o755))?;
    }
    fs::rename(program, target).with_context(|| format!("cannot put {} in place", target.display()))
}

fn clear(dir: &Path) -> Result<()> {
    if dir.exists() {
        fs::remove_dir_all(dir).with_context(|| format!("cannot remove {}", dir.display()))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_release_is_that_of_debian_only() {
        let debian = "PRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\nVERSION_CODENAME=bookworm\nID=debian\n";
        assert_eq!(codename(debian), Some("bookworm"));
        assert_eq!(codename("VERSION_CODENAME=\"trixie\"\nID=\"debian\"\n"), Some("trixie"));
        assert_eq!(codename("ID=ubuntu\nID_LIKE=debian\nVERSION_CODENAME=noble\n"), None);
        assert_eq!(codename("ID=debian\n"), None);
    }
}
