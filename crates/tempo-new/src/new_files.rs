//! `NewFiles`: creates files, and removes them if it cannot create all.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use tempo_settings::{Error, ErrorKind};

/// Files and folders that were created. Dropping it before [`keep`](Self::keep) removes them, and nothing that existed before.
#[derive(Debug, Default)]
pub(crate) struct NewFiles {
    folders: Vec<PathBuf>,
    files: Vec<PathBuf>,
}

impl NewFiles {
    /// Creates `folder` with its parents, or uses it if it is empty.
    ///
    /// # Errors
    ///
    /// Something else is there, or the system refuses; the kind is [`CannotWrite`](ErrorKind::CannotWrite).
    pub(crate) fn create_project(&mut self, folder: &Path) -> Result<(), Error> {
        let exists = |problem: &str| {
            let message = format!("cannot create {}: {problem}", folder.display());
            Error::new(ErrorKind::CannotWrite, message).with_advice("choose another name")
        };
        match fs::read_dir(folder) {
            Ok(mut entries) => entries.next().map_or(Ok(()), |_| Err(exists("the folder exists and is not empty"))),
            // `metadata` fails for a link to nowhere too.
            Err(_) if folder.symlink_metadata().is_ok() => {
                Err(exists("it exists and is not a folder that can be read"))
            }
            Err(_) => self.create_folder(folder).map_err(|error| cannot_write(folder, error)),
        }
    }

    /// Creates the file `path`, with its parents.
    ///
    /// # Errors
    ///
    /// The file exists, or the system refuses; the kind is [`CannotWrite`](ErrorKind::CannotWrite).
    pub(crate) fn create(&mut self, path: &Path, text: &str) -> Result<(), Error> {
        let mut create = || {
            path.parent().map_or(Ok(()), |folder| self.create_folder(folder))?;
            let mut file = OpenOptions::new().write(true).create_new(true).open(path)?;
            self.files.push(path.to_owned());
            file.write_all(text.as_bytes())
        };
        create().map_err(|error| cannot_write(path, error))
    }

    /// Keeps the files.
    pub(crate) fn keep(mut self) {
        self.files.clear();
        self.folders.clear();
    }

    fn create_folder(&mut self, folder: &Path) -> io::Result<()> {
        if folder.as_os_str().is_empty() || folder.is_dir() {
            return Ok(());
        }
        folder.parent().map_or(Ok(()), |parent| self.create_folder(parent))?;
        fs::create_dir(folder)?;
        self.folders.push(folder.to_owned());
        Ok(())
    }
}

impl Drop for NewFiles {
    fn drop(&mut self) {
        // What cannot be removed stays: the error that is returned names the cause.
        for file in self.files.iter().rev() {
            let _ = fs::remove_file(file);
        }
        // Another program may have added a file: a folder is removed only if it is empty.
        for folder in self.folders.iter().rev() {
            let _ = fs::remove_dir(folder);
        }
    }
}

/// Returns the error of a file that cannot be written.
pub(crate) fn cannot_write(path: &Path, error: io::Error) -> Error {
    Error::new(ErrorKind::CannotWrite, format!("cannot write {}", path.display())).with_source(error)
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;

    #[test]
    fn only_an_empty_folder_is_used() {
        let directory = TempDir::new().unwrap();
        let path = |name: &str| directory.path().join(name);
        fs::create_dir(path("empty")).unwrap();
        fs::write(path("file"), "").unwrap();
        fs::create_dir_all(path("full/.git")).unwrap();
        let mut files = NewFiles::default();
        files.create_project(&path("empty")).unwrap();
        files.create_project(&path("new/below")).unwrap();
        for (name, problem) in [("full", "is not empty"), ("file", "is not a folder")] {
            let error = files.create_project(&path(name)).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::CannotWrite);
            assert!(error.to_string().contains(problem), "{error}");
        }
        drop(files);
        assert!(path("empty").exists() && path("full/.git").exists() && !path("new").exists());
    }

    #[cfg(unix)]
    #[test]
    fn a_link_to_nowhere_is_not_followed() {
        let directory = TempDir::new().unwrap();
        let link = directory.path().join("link");
        std::os::unix::fs::symlink(directory.path().join("nowhere"), &link).unwrap();
        assert!(NewFiles::default().create_project(&link).is_err());
        assert!(NewFiles::default().create(&link, "text").is_err());
        assert!(link.symlink_metadata().is_ok() && !directory.path().join("nowhere").exists());
    }

    #[test]
    fn a_failure_removes_only_new_files() {
        let directory = TempDir::new().unwrap();
        let path = |name: &str| directory.path().join(name);
        fs::write(path("old"), "old").unwrap();
        let mut files = NewFiles::default();
        files.create(&path("a/b/new"), "new").unwrap();
        files.create(&path("beside"), "new").unwrap();
        fs::write(path("a/theirs"), "").unwrap();
        let error = files.create(&path("old"), "new").unwrap_err();
        assert!(format!("{error:#}").contains("old: "), "{error:#}");
        drop(files);
        assert_eq!(fs::read_to_string(path("old")).unwrap(), "old");
        assert!(path("a/theirs").exists() && !path("a/b").exists() && !path("beside").exists());
    }

    #[test]
    fn kept_files_stay() {
        let directory = TempDir::new().unwrap();
        let mut files = NewFiles::default();
        files.create(&directory.path().join("a/b"), "text").unwrap();
        files.keep();
        assert_eq!(fs::read_to_string(directory.path().join("a/b")).unwrap(), "text");
    }
}
