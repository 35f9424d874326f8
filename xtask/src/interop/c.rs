//! C: the compiler of zig, from PyPI, with the C library and the linker of guests in Rust.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use super::{BuildContext, python, tools};
use crate::names::TARGET;
use crate::shell;

pub(super) const ZIG: &str = "ziglang==0.15.2";

pub(super) fn build(context: &BuildContext, source: &Path, scratch: &Path) -> Result<()> {
    let zig = python::install(context, ZIG)?.join("ziglang").join(format!("zig{}", std::env::consts::EXE_SUFFIX));
    let object = scratch.join("handler.o");
    let mut compile = Command::new(zig);
    compile.args(["cc", "-target", "wasm32-wasi", "-O2", "-Wall", "-Wextra", "-Werror"]);
    compile.arg(format!("-DWASI=\"{}\"", context.p2.version)).arg("-c").arg(source.join("handler.c"));
    compile.arg("-o").arg(&object);
    // By default zig keeps its caches in the home directory and beside the sources.
    let cache = context.tools.cache("zig-cache");
    tools::run(compile.env("ZIG_GLOBAL_CACHE_DIR", &cache).env("ZIG_LOCAL_CACHE_DIR", &cache))?;

    let wit = scratch.join("world.wit");
    let world = format!("export wasi:http/incoming-handler@{};", context.p2.version);
    fs::write(&wit, context.p2.in_one_file(&world)?)?;
    let rustlib = PathBuf::from(shell::read(shell::rustc().args(["--print", "sysroot"]))?.trim()).join("lib/rustlib");
    let libc = rustlib.join(TARGET).join("lib/self-contained");
    let mut link = Command::new("wasm-component-ld");
    link.env("PATH", linkers(&rustlib)?).arg("-o").arg(scratch.join("c.wasm"));
    link.arg(libc.join("crt1-reactor.o")).arg(object).arg("-L").arg(libc).arg("-lc");
    tools::run(link.args(["--entry", "_initialize", "--component-type"]).arg(wit))
}

/// Returns the path with rustc's own linkers first: other compilers do not find them.
fn linkers(rustlib: &Path) -> Result<OsString> {
    let about = shell::read(shell::rustc().arg("-vV"))?;
    let host =
        about.lines().find_map(|line| line.strip_prefix("host: ")).context("`rustc -vV` does not say its host")?;
    let tools = rustlib.join(host).join("bin");
    let path = std::env::var_os("PATH").unwrap_or_default();
    Ok(std::env::join_paths([tools.clone(), tools.join("gcc-ld")].into_iter().chain(std::env::split_paths(&path)))?)
}
