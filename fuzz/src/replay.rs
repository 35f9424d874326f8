//! `replay`: the program of a target without cargo-fuzz.

use std::fs;
use std::io;
use std::path::Path;

use crate::Target;

/// Runs `target` on the files that the command line names, for example those that cargo-fuzz leaves in `fuzz/artifacts`.
/// Without an argument, writes the seeds to `fuzz/corpus`, where cargo-fuzz starts from them.
///
/// # Errors
///
/// A file cannot be read or written.
pub fn replay(target: &Target) -> io::Result<()> {
    let files: Vec<_> = std::env::args_os().skip(1).collect();
    for file in &files {
        let outcome = (target.run)(&fs::read(file)?);
        println!("{}: {outcome:?}", Path::new(file).display());
    }
    if files.is_empty() {
        let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(target.name);
        fs::create_dir_all(&corpus)?;
        for (number, seed) in (target.seeds)().iter().enumerate() {
            fs::write(corpus.join(format!("seed-{number}")), seed)?;
        }
        println!("wrote the seeds to {}", corpus.display());
    }
    Ok(())
}
