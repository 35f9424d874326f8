//! The S3 server for the tests of `s3:`: ministack, a Python program, pinned and verified. Only its dependencies for S3
//! are installed.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::shell::{self, say};

/// The packages with their versions and digests. The installation contains a copy, which identifies its pins.
const REQUIREMENTS: &str = include_str!("s3-requirements.txt");

/// The name of the copy.
const PINS_FILE: &str = "requirements.txt";

/// The timeout of a download of 3 MB on a slow line.
const DOWNLOAD_TIMEOUT: Duration = Duration::from_secs(300);

/// Returns the packages that were installed below `tools` before, if their pins are current.
pub(super) fn find(tools: &Path) -> Option<PathBuf> {
    let packages = installed(tools);
    let pins = fs::read_to_string(packages.join(PINS_FILE)).ok()?;
    (pins == REQUIREMENTS).then_some(packages)
}

/// Downloads and verifies the packages with pip, and installs them with a rename.
pub(super) fn install(tools: &Path, scratch: &Path) -> Result<PathBuf> {
    let recent = "import sys, pip; sys.exit(sys.version_info < (3, 11))";
    if shell::read(Command::new("python3").args(["-c", recent])).is_err() {
        bail!("the S3 server of the tests is missing, and it needs a python3 of 3.11 or later with pip");
    }
    let target = installed(tools);
    say(&format!("installing an S3 server for the tests in {}", target.display()));
    let unpacked = scratch.join("s3-server");
    clear(&unpacked)?;
    fs::create_dir_all(&unpacked)?;
    fs::create_dir_all(tools)?;
    let pins = unpacked.join(PINS_FILE);
    fs::write(&pins, REQUIREMENTS).with_context(|| format!("cannot write {}", pins.display()))?;

    let mut pip = Command::new("python3");
    pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps", "--require-hashes"]);
    pip.args(["--only-binary", ":all:", "--target"]).arg(&unpacked).arg("--requirement").arg(&pins);
    // The target is not the machine's Python.
    shell::run_within(pip.env("PIP_ROOT_USER_ACTION", "ignore"), DOWNLOAD_TIMEOUT).context("pip has no ministack")?;
    let probe = ["-c", "import hypercorn.asyncio, ministack.app, ministack.services.iam, ministack.services.s3"];
    shell::read(Command::new("python3").args(probe).env("PYTHONPATH", &unpacked))
        .context("the S3 server of the tests does not run on this machine")?;

    clear(&target)?;
    fs::rename(&unpacked, &target).with_context(|| format!("cannot put it at {}", target.display()))?;
    Ok(target)
}

fn installed(tools: &Path) -> PathBuf {
    tools.join("s3-server")
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
    fn every_package_is_pinned_by_a_digest_of_its_own() {
        let pins = REQUIREMENTS.lines().filter(|line| !line.starts_with('#'));
        let mut digests: Vec<&str> = pins
            .map(|pin| {
                let (package, digest) = pin.split_once(" --hash=sha256:").expect(pin);
                assert!(package.contains("=="), "{pin}");
                assert!(digest.len() == 64 && digest.chars().all(|c| c.is_ascii_hexdigit()), "{pin}");
                digest
            })
            .collect();
        let count = digests.len();
        digests.sort_unstable();
        digests.dedup();
        assert_eq!(digests.len(), count);
    }

    #[test]
    fn other_packages_than_the_pinned_ones_are_installed_again() {
        let tools = std::env::temp_dir().join(format!("tempo-xtask-s3-{}", std::process::id()));
        let packages = installed(&tools);
        fs::create_dir_all(&packages).unwrap();
        let mut found = vec![find(&tools)];
        for pins in ["ministack==0.1", REQUIREMENTS] {
            fs::write(packages.join(PINS_FILE), pins).unwrap();
            found.push(find(&tools));
        }
        fs::remove_dir_all(&tools).unwrap();
        assert_eq!(found, [None, None, Some(packages)]);
    }
}
