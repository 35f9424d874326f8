//! `cargo xtask dist`: an archive of each runtime for this machine, with checksums.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use flate2::{Compression, GzBuilder};
use sha2::{Digest, Sha256};
use tar::{Builder, EntryType, Header};

use self::pgo::GuidedBuild;
use crate::shell::{self, say};
use crate::workspace::{self, Package, Workspace};

mod pgo;

pub(crate) fn command() -> Command {
    let only = Arg::new("only").long("only").value_name("NAME,...").value_delimiter(',').help("Only these runtimes");
    Command::new("dist")
        .about("Writes release archives of the runtimes, with SHA-256 sums")
        .arg(only)
        .arg(Arg::new("pgo").long("pgo").action(ArgAction::SetTrue).help(
            "Optimize with a profile: builds each runtime twice, and trains the first build under load (an hour and \
                 more on 2 cores). Its profile lies beside the archives",
        ))
        .arg(
            Arg::new("profiles")
                .long("profiles")
                .value_name("DIR")
                .value_parser(value_parser!(PathBuf))
                .conflicts_with("pgo")
                .help("Optimize with the profiles of a release in DIR, which repeats its build"),
        )
}

pub(crate) fn run(arguments: &ArgMatches) -> Result<()> {
    let workspace = Workspace::load()?;
    let triple = host()?;
    let archives = workspace.target.join("archives");
    if archives.exists() {
        fs::remove_dir_all(&archives).with_context(|| format!("cannot remove {}", archives.display()))?;
    }
    fs::create_dir_all(&archives).with_context(|| format!("cannot create {}", archives.display()))?;
    let only = arguments.get_many::<String>("only").map(|names| names.collect::<Vec<_>>());
    let chosen = |runtime: &&Package| only.as_ref().is_none_or(|names| names.contains(&&runtime.name));
    let mut sums = String::new();
    for runtime in workspace.runtimes().filter(chosen) {
        let name = format!("{}-{}-{triple}", runtime.name, runtime.version);
        let profile = profile(&workspace, runtime, &triple, arguments, &archives.join(format!("{name}.profdata")))?;
        let programs = match &profile {
            Some(profile) => GuidedBuild::new(&workspace, runtime, &triple).build(profile)?,
            None => build(&workspace, runtime)?,
        };
        let archive = archives.join(format!("{name}.tar.gz"));
        pack(&archive, &name, &contents(runtime, &programs))?;
        for file in [Some(archive), profile].into_iter().flatten() {
            let name = file.file_name().unwrap_or_default().to_string_lossy();
            writeln!(sums, "{}  {name}", sha256(&file)?)?;
            say(&format!("wrote {}", file.display()));
        }
    }
    fs::write(archives.join("SHA256SUMS"), sums)?;
    say(&format!("wrote {}", archives.join("SHA256SUMS").display()));
    Ok(())
}

/// Writes the profile of a runtime to `to`, by training or from those of a release. `None` if there is to be none.
fn profile(
    workspace: &Workspace,
    runtime: &Package,
    triple: &str,
    arguments: &ArgMatches,
    to: &Path,
) -> Result<Option<PathBuf>> {
    if arguments.get_flag("pgo") {
        GuidedBuild::new(workspace, runtime, triple).train(to)?;
    } else if let Some(directory) = arguments.get_one::<PathBuf>("profiles") {
        let from = directory.join(to.file_name().unwrap_or_default());
        fs::copy(&from, to).with_context(|| format!("cannot copy {}", from.display()))?;
    } else {
        return Ok(None);
    }
    Ok(Some(to.to_owned()))
}

/// Builds a runtime without a profile, and returns the directory of its programs. One at a time: built together, the small runtimes
/// would get the features of the large one.
fn build(workspace: &Workspace, runtime: &Package) -> Result<PathBuf> {
    shell::run(shell::cargo().args(["build", "--profile", "dist", "--package", &runtime.name]))?;
    Ok(workspace.target.join("dist"))
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
