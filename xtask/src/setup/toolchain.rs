//! The compiler that cargo uses: its version, and which parts of it are there.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::TARGET;
use crate::shell;

/// A compiler and the directory that it takes its libraries from.
#[derive(Debug)]
pub(super) struct Toolchain {
    /// As in `1.95.0`.
    pub(super) version: String,
    /// The machine that it runs on, as a target triple.
    pub(super) host: String,
    /// What `rustc --print sysroot` says.
    pub(super) sysroot: PathBuf,
}

impl Toolchain {
    /// Asks rustc.
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

    /// Whether `cargo build --target wasm32-wasip2` would work.
    pub(super) fn is_complete(&self) -> bool {
        self.has_std() && self.has_linker()
    }

    /// Whether the target's standard library is there. Only whole libraries are ever put in place, so one file stands
    /// for all of them.
    pub(super) fn has_std(&self) -> bool {
        let library = |name: &str| name.starts_with("libstd-") && name.ends_with(".rlib");
        std::fs::read_dir(self.target_libdir())
            .is_ok_and(|entries| entries.flatten().any(|entry| library(&entry.file_name().to_string_lossy())))
    }

    /// Whether rustc finds the linker of components: beside its other tools, or on the path.
    pub(super) fn has_linker(&self) -> bool {
        self.tools_dir().join("wasm-component-ld").exists() || shell::has("wasm-component-ld")
    }

    /// Where rustc looks for the target's libraries.
    pub(super) fn target_libdir(&self) -> PathBuf {
        self.rustlib().join(TARGET).join("lib")
    }

    /// Where rustc looks for linkers before it looks on the path.
    pub(super) fn tools_dir(&self) -> PathBuf {
        self.rustlib().join(&self.host).join("bin")
    }

    /// The directory of all targets.
    pub(super) fn rustlib(&self) -> PathBuf {
        self.sysroot.join("lib").join("rustlib")
    }
}

/// Tries to write in a directory, so that a read-only toolchain is reported before a minute's build and not after it.
pub(super) fn require_writable(dir: &Path) -> Result<()> {
    let probe = dir.join(".tempo-setup");
    std::fs::create_dir_all(dir)
        .and_then(|()| std::fs::write(&probe, ""))
        .and_then(|()| std::fs::remove_file(&probe))
        .with_context(|| {
            format!(
                "cannot write to {}, where rustc looks for {TARGET}; run `cargo xtask setup` once as the owner of that \
                 directory, or use a toolchain of your own (rustup)",
                dir.display()
            )
        })
}
