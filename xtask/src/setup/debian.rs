//! Builds the target from Debian's packages: compiles the standard library from source and installs it in the sysroot.
//!
//! The work happens below the target directory; the sysroot changes once, at the end, by a rename.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use super::apt::Suite;
use super::mirror::Mirror;
use super::toolchain::{Toolchain, require_writable};
use crate::names::TARGET;
use crate::shell::{self, say};

/// The suites that may have the compiler's version, the likeliest first. The libc comes from the same suite, where the
/// two are tested together.
const SUITES: &[&str] = &["trixie-backports", "sid", "testing", "trixie"];

/// The files of libc that the linker of components needs.
const LIBC_PARTS: &[&str] = &["crt1-command.o", "crt1-reactor.o", "libc.a"];

/// Fetches, builds, installs.
pub(super) fn add_target(toolchain: &Toolchain, scratch: &Path) -> Result<()> {
    require_writable(&toolchain.rustlib().join(TARGET))?;
    let sources = fetch(toolchain, scratch)?;
    let built = build(&sources.join("usr/src").join(format!("rustc-{}", toolchain.version)))?;
    install(toolchain, &built, &sources.join("usr/lib").join(TARGET))?;
    check(toolchain, scratch)?;
    // Hundreds of megabytes that are not needed again.
    remove(&sources)?;
    remove(&scratch.join("apt"))
}

fn fetch(toolchain: &Toolchain, scratch: &Path) -> Result<PathBuf> {
    let sources = scratch.join(format!("rust-{}", toolchain.version));
    let complete = sources.join("complete");
    if complete.exists() {
        say(&format!("using the sources unpacked before in {}", sources.display()));
        return Ok(sources);
    }
    let mirror = Mirror::find();
    let wanted = format!("{}+", toolchain.version);
    for name in SUITES {
        let found =
            Suite::open(&mirror, name, scratch).and_then(|suite| Ok((suite.version("rust-src", &wanted)?, suite)));
        match found {
            Ok((Some(version), suite)) => {
                suite.unpack("rust-src", &version, &sources)?;
                suite.unpack("wasi-libc", &suite.any_version("wasi-libc")?, &sources)?;
                fs::write(complete, "")?;
                return Ok(sources);
            }
            Ok((None, _)) => say(&format!("{name} has no rust-src {}", toolchain.version)),
            Err(error) => say(&format!("{name} cannot be read: {error:#}")),
        }
    }
    bail!(
        "none of Debian's {} has rust-src {}; use another Rust, or `rustup target add {TARGET}` where rustup can download",
        SUITES.join(", "),
        toolchain.version
    )
}

/// Builds the libraries and returns their directory.
fn build(source: &Path) -> Result<PathBuf> {
    let target = source.join("target");
    // An earlier attempt may have used other options; every library in the directory is installed.
    remove(&target)?;
    let mut cargo = shell::cargo();
    cargo
        .args(["build", "--release", "--target", TARGET, "--features", "panic-unwind", "--target-dir"])
        .arg(&target)
        .current_dir(source.join("library/sysroot"))
        // The compiler's own build compiles the standard library in the same way.
        .env("RUSTC_BOOTSTRAP", "1")
        .env("__CARGO_DEFAULT_LIB_METADATA", "stablestd")
        .env("RUSTFLAGS", "-Zforce-unstable-if-unmarked -Cembed-bitcode=yes")
        .env_remove("CARGO_ENCODED_RUSTFLAGS")
        .env_remove("CARGO_BUILD_TARGET");
    shell::run(&mut cargo)?;
    Ok(target.join(TARGET).join("release/deps"))
}

fn install(toolchain: &Toolchain, built: &Path, libc: &Path) -> Result<()> {
    let libdir = toolchain.target_libdir();
    let partial = libdir.with_file_name("lib.partial");
    say(&format!("installing {TARGET} in {}", libdir.display()));
    remove(&partial)?;
    fs::create_dir_all(partial.join("self-contained"))?;
    for entry in fs::read_dir(built).with_context(|| format!("cannot read {}", built.display()))? {
        let path = entry?.path();
        if let (Some("rlib"), Some(name)) = (path.extension().and_then(|e| e.to_str()), path.file_name()) {
            copy(&path, &partial.join(name))?;
        }
    }
    for part in LIBC_PARTS {
        copy(&libc.join(part), &partial.join("self-contained").join(part))?;
    }
    remove(&libdir)?;
    fs::rename(&partial, &libdir).with_context(|| format!("cannot put {} in place", libdir.display()))?;
    if !toolchain.has_std() {
        bail!("the build left no standard library in {}", built.display());
    }
    Ok(())
}

/// Links an empty program, so that an incompatible library is detected here and not in the first guest.
fn check(toolchain: &Toolchain, scratch: &Path) -> Result<()> {
    let program = scratch.join("probe.rs");
    fs::write(&program, "fn main() { println!(\"linked\"); }\n")?;
    let linked = shell::run(shell::rustc().args(["--target", TARGET, "--out-dir"]).arg(scratch).arg(&program));
    if linked.is_err() {
        remove(&toolchain.target_libdir())?;
    }
    linked.context("the library that was built does not fit this compiler, and was removed again")
}

fn remove(dir: &Path) -> Result<()> {
    if dir.exists() {
        fs::remove_dir_all(dir).with_context(|| format!("cannot remove {}", dir.display()))?;
    }
    Ok(())
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::copy(from, to).with_context(|| format!("cannot copy {} to {}", from.display(), to.display()))?;
    Ok(())
}
