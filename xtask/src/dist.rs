//! `cargo xtask dist`: an archive of each runtime for this machine, with checksums.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use clap::{ArgMatches, Command};
use flate2::{Compression, GzBuilder};
use sha2::{Digest, Sha256};
use tar::{Builder, EntryType, Header};

use crate::shell::{self, say};
use crate::workspace::{self, Package, Workspace};

pub(crate) fn command() -> Command {
    Command::new("dist").about("Writes release archives of the runtimes, with SHA-256 sums")
}

pub(crate) fn run(_: &ArgMatches) -> Result<()> {
    let workspace = Workspace::load()?;
    let triple = host()?;
    let archives = workspace.target.join("archives");
    if archives.exists() {
        fs::remove_dir_all(&archives).with_context(|| format!("cannot remove {}", archives.display()))?;
    }
    fs::create_dir_all(&archives).with_context(|| format!("cannot create {}", archives.display()))?;
    let mut sums = String::new();
    for runtime in workspace.runtimes() {
        // One at a time: built together, the small runtimes would get the features of the large one.
        shell::run(shell::cargo().args(["build", "--profile", "dist", "--package", &runtime.name]))?;
        let name = format!("{}-{}-{triple}", runtime.name, runtime.version);
        let archive = archives.join(format!("{name}.tar.gz"));
        pack(&archive, &name, &contents(runtime, &workspace.target.join("dist")))?;
        writeln!(sums, "{}  {name}.tar.gz", sha256(&archive)?)?;
        say(&format!("wrote {}", archive.display()));
    }
    fs::write(archives.join("SHA256SUMS"), sums)?;
    say(&format!("wrote {}", archives.join("SHA256SUMS").display()));
    Ok(())
}

fn host() -> Result<String> {
    let about = shell::read(shell::rustc().arg("-vV"))?;
    let host = about.lines().find_map(|line| line.strip_prefix("host: "));
    Ok(host.context("`rustc -vV` does not name its host")?.to_owned())
}

/// Returns the runtime's programs, its README or the project's, and both licences.
fn contents(runtime: &Package, release: &Path) -> Vec<(PathBuf, u32)> {
    let own = runtime.dir.join("README.md");
    let root = workspace::root();
    let readme = if own.exists() { own } else { root.join("README.md") };
    let program = |name: &String| (release.join(format!("{name}{}", std::env::consts::EXE_SUFFIX)), 0o755);
    let texts = [readme, root.join("LICENSE-MIT"), root.join("LICENSE-APACHE")];
    runtime.programs.iter().map(program).chain(texts.map(|text| (text, 0o644))).collect()
}

/// Writes the files below one directory, without times and owners, so that the archive is reproducible.
fn pack(archive: &Path, dir: &str, files: &[(PathBuf, u32)]) -> Result<()> {
    let file = File::create(archive).with_context(|| format!("cannot create {}", archive.display()))?;
    let mut tar = Builder::new(GzBuilder::new().mtime(0).write(file, Compression::best()));
    for (path, mode) in files {
        let bytes = fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
        let name = path.file_name().with_context(|| format!("{} is not a file", path.display()))?;
        let mut header = Header::new_gnu();
        header.set_entry_type(EntryType::Regular);
        header.set_size(u64::try_from(bytes.len())?);
        header.set_mode(*mode);
        tar.append_data(&mut header, Path::new(dir).join(name), bytes.as_slice())?;
    }
    tar.into_inner()?.finish()?;
    Ok(())
}

fn sha256(path: &Path) -> Result<String> {
    let digest = Sha256::digest(fs::read(path).with_context(|| format!("cannot read {}", path.display()))?);
    Ok(digest.iter().map(|byte| format!("{byte:02x}")).collect())
}
