//! The profile-guided build of a runtime: an instrumented build, its training, and a build with the profile.
//!
//! Both builds have the same cargo profile, features and target, because the names of functions in the profile depend on them. The
//! host's build scripts and macros are not instrumented, because `--target` is given.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::shell::{self, say};
use crate::workspace::{Package, Workspace};
use crate::{bench, setup};

/// The flags of the instrumented build besides the directory. Link-time optimization comes after instrumentation, and would only
/// take time.
const WITHOUT_LTO: [&str; 3] = ["-Clto=off", "-Clinker-plugin-lto=no", "-Cembed-bitcode=no"];

/// A runtime to build for the target `triple`.
pub(super) struct GuidedBuild<'a> {
    workspace: &'a Workspace,
    runtime: &'a Package,
    triple: &'a str,
}

impl<'a> GuidedBuild<'a> {
    pub(super) fn new(workspace: &'a Workspace, runtime: &'a Package, triple: &'a str) -> Self {
        Self { workspace, runtime, triple }
    }

    /// Trains an instrumented build, and writes its profile to `profile`.
    pub(super) fn train(&self, profile: &Path) -> Result<()> {
        let profdata = setup::llvm_profdata()?;
        let raw = self.directory().join("raw");
        if raw.exists() {
            fs::remove_dir_all(&raw).with_context(|| format!("cannot remove {}", raw.display()))?;
        }
        let instrument = format!("-Cprofile-generate={}", raw.display());
        let [first, second, third] = WITHOUT_LTO;
        let programs = self.cargo_build(&[&instrument, first, second, third])?;
        bench::train(&programs.join(&self.runtime.name))?;
        shell::run(shell::program(&profdata).args(["merge", "--output"]).arg(profile).arg(&raw))?;
        fs::remove_dir_all(&raw).with_context(|| format!("cannot remove {}", raw.display()))?;
        say(&format!("wrote {}", profile.display()));
        Ok(())
    }

    /// Builds the runtime with `profile`, and returns the directory of its programs.
    pub(super) fn build(&self, profile: &Path) -> Result<PathBuf> {
        let profiles = self.directory().join("profiles");
        fs::create_dir_all(&profiles).with_context(|| format!("cannot create {}", profiles.display()))?;
        // Cargo compares the path of the profile only.
        let copy = profiles.join(format!("{}.profdata", super::sha256(profile)?));
        fs::copy(profile, &copy).with_context(|| format!("cannot write {}", copy.display()))?;
        self.cargo_build(&[&format!("-Cprofile-use={}", copy.display())])
    }

    /// Builds with these flags of rustc, and returns the directory of the programs.
    fn cargo_build(&self, flags: &[&str]) -> Result<PathBuf> {
        let directory = self.directory();
        let mut cargo = shell::cargo();
        cargo.args(["build", "--profile", "dist", "--package", &self.runtime.name, "--target", self.triple]);
        cargo.arg("--target-dir").arg(&directory).env("CARGO_ENCODED_RUSTFLAGS", flags.join("\u{1f}"));
        shell::run(&mut cargo)?;
        Ok(directory.join(self.triple).join("dist"))
    }

    fn directory(&self) -> PathBuf {
        self.workspace.target.join("pgo")
    }
}
