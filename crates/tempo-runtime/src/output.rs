//! Writes precompiled files atomically. Replaces only regular files, and never the component itself.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use tempo_settings::{Error, ErrorKind};

/// Refuses an `output` that is the `source`, by any path or link, or that is a link, a device or a directory.
///
/// # Errors
///
/// `output` must not be written.
pub(crate) fn check(source: &Path, output: &Path) -> Result<(), Error> {
    let refused = |problem: &str| {
        let message = format!("cannot write {}: {problem}; choose another file with -o", output.display());
        Err(Error::new(ErrorKind::CannotWrite, message))
    };
    let Ok(existing) = output.symlink_metadata() else { return Ok(()) };
    if is_same(source, output) {
        return refused("it is the source itself");
    }
    if existing.is_symlink() {
        return refused("it is a link");
    }
    if existing.is_file() { Ok(()) } else { refused("it is not a file") }
}

/// Writes a temporary file and renames it, so that a reader never sees a partial file.
///
/// # Errors
///
/// Those of [`check`], or the directory cannot be written.
pub(crate) fn write(source: &Path, output: &Path, bytes: &[u8]) -> Result<(), Error> {
    let failed = |error: io::Error| {
        Error::new(ErrorKind::CannotWrite, format!("cannot write {}", output.display())).with_source(error)
    };
    let (temporary, mut file) = create_beside(output, OpenOptions::new().write(true)).map_err(failed)?;
    let written = file.write_all(bytes).and_then(|()| file.sync_all()).map_err(failed);
    // Checked again, because `output` may have been replaced during the compilation.
    let done =
        written.and_then(|()| check(source, output)).and_then(|()| fs::rename(&temporary, output).map_err(failed));
    if done.is_err() {
        let _ = fs::remove_file(&temporary);
    }
    done
}

/// Creates a temporary file `.NAME.RANDOM.tmp` beside `output`, with an unpredictable name.
pub(crate) fn create_beside(output: &Path, options: &mut OpenOptions) -> io::Result<(PathBuf, File)> {
    let mut random = [0; 8];
    getrandom::fill(&mut random).map_err(|error| io::Error::other(error.to_string()))?;
    let name = output.file_name().ok_or(io::ErrorKind::InvalidInput)?.to_string_lossy();
    let temporary = output.with_file_name(format!(".{name}.{:016x}.tmp", u64::from_le_bytes(random)));
    let file = options.create_new(true).open(&temporary)?;
    Ok((temporary, file))
}

#[cfg(unix)]
fn is_same(source: &Path, output: &Path) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    let identity = |path: &Path| path.metadata().map(|metadata| (metadata.dev(), metadata.ino()));
    matches!((identity(source), identity(output)), (Ok(source), Ok(output)) if source == output)
}

#[cfg(not(unix))]
fn is_same(source: &Path, output: &Path) -> bool {
    matches!((source.canonicalize(), output.canonicalize()), (Ok(source), Ok(output)) if source == output)
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use std::os::unix::fs::symlink;
    use std::os::unix::net::UnixListener;

    use super::*;

    #[test]
    fn the_source_is_recognized_by_any_path_and_link() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::create_dir(at("sub")).unwrap();
        fs::write(at("app.wasm"), "source").unwrap();
        fs::hard_link(at("app.wasm"), at("hard")).unwrap();
        symlink("app.wasm", at("soft")).unwrap();
        for output in ["app.wasm", "sub/../app.wasm", "hard", "soft"] {
            let error = write(&at("app.wasm"), &at(output), b"compiled").unwrap_err();
            assert!(error.to_string().contains("it is the source itself"), "{error}");
        }
        assert_eq!(fs::read(at("app.wasm")).unwrap(), b"source");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 4, "nothing is left behind");
    }

    #[test]
    fn only_a_regular_file_is_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::write(at("app.wasm"), "source").unwrap();
        fs::write(at("other"), "other").unwrap();
        symlink("other", at("link")).unwrap();
        symlink("missing", at("dangling")).unwrap();
        fs::create_dir(at("directory")).unwrap();
        let _socket = UnixListener::bind(at("socket")).unwrap();
        for output in ["link", "dangling", "directory", "socket"] {
            assert!(write(&at("app.wasm"), &at(output), b"compiled").is_err(), "{output}");
        }
        assert_eq!(fs::read(at("other")).unwrap(), b"other");
        assert!(!at("missing").exists() && at("link").is_symlink() && at("socket").exists());
        write(&at("app.wasm"), &at("other"), b"compiled").unwrap();
        write(&at("app.wasm"), &at("new"), b"compiled").unwrap();
        assert_eq!(fs::read(at("other")).unwrap(), fs::read(at("new")).unwrap());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 7, "nothing is left behind");
        assert!(write(&at("app.wasm"), &at("nowhere/new"), b"compiled").is_err());
    }
}
