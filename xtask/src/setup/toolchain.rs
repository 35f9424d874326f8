//! The compiler that cargo uses: its version, and its installed parts.

use std::path::PathBuf;

use anyhow::{Context, Result};

use crate::names::TARGET;
use crate::shell;

/// A compiler and its sysroot.
#[derive(Debug)]
pub(super) struct Toolchain {
    /// The version, as in `1.95.0`.
    pub(super) version: String,
    /// The host's target triple.
    pub(super) host: String,
    /// The output of `rustc --print sysroot`.
    pub(super) sysroot: PathBuf,
}

impl Toolchain {
    /// Queries rustc.
    pub(super) fn find() -> Result<Self> {
        let about = shell::read(shell::rustc().arg("-vV"))?;
        let field = |name: &str| {
            let value = about.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
            value.map(str::to_owned).with_context(|| format!("`rustc -vV` does not say its {name}"))
        };
        Ok(Self {
            version: field("release")?,
            host: field("host")?,
            sysroot: shell::read(shell::rustc().args(["--print", "sysroot"]))?.trim().into(),
        })
    }

    /// Returns true if `cargo build --target wasm32-wasip2` would work.
    pub(super) fn is_complete(&self) -> bool {
        self.has_std() && self.has_linker()
    }

    /// Returns true if the target's standard library exists. Libraries are installed together, so one file represents
    /// all of them.
    pub(super) fn has_std(&self) -> bool {
        let library = |name: &str| name.starts_with("libstd-") && name.ends_with(".rlib");
        std::fs::read_dir(self.target_libdir())
            .is_ok_and(|entries| entries.flatten().any(|entry| library(&entry.file_name().to_string_lossy())))
    }

    /// Returns true if rustc finds the linker of components: beside its other tools, or on the path.
    pub(super) fn has_linker(&self) -> bool {
        self.tools_dir().join("wasm-component-ld").exists() || shell::has("wasm-component-ld")
    }

    /// Returns rustc's directory of the target's libraries.
    pub(super) fn target_libdir(&self) -> PathBuf {
        self.rustlib().join(TARGET).join("lib")
    }

    /// Returns rustc's directory of linkers, which it searches before the path.
    pub(super) fn tools_dir(&self) -> PathBuf {
        self.rustlib().join(&self.host).join("bin")
    }

    /// Returns the directory of all targets.
    pub(super) fn rustlib(&self) -> PathBuf {
        self.sysroot.join("lib").join("rustlib")
    }
}
