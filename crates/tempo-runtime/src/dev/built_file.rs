//! `BuiltFile`: the path of a component that Cargo builds, in parts.

use std::path::{Path, PathBuf};

/// The parts of `TARGET_DIR/TARGET/PROFILE/NAME.wasm`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct BuiltFile {
    /// The target directory, absolute.
    pub target_dir: PathBuf,
    /// The target: `wasm32-wasip2`.
    pub target: String,
    /// The folder of the profile: `release`.
    pub profile: String,
    /// The name of the library or the program.
    pub name: String,
}

impl BuiltFile {
    /// Returns the parts of `path`, or `None` if Cargo writes no component there.
    pub(super) fn parse(path: &Path) -> Option<Self> {
        let path = std::path::absolute(path).ok()?;
        let name = path.file_name()?.to_str()?.strip_suffix(".wasm")?;
        let profile = path.parent()?;
        let target = profile.parent()?;
        let target_dir = target.parent()?;
        let part = |path: &Path| path.file_name()?.to_str().map(str::to_owned);
        let parts = Self {
            target_dir: target_dir.to_owned(),
            target: part(target)?,
            profile: part(profile)?,
            name: name.to_owned(),
        };
        (parts.target.starts_with("wasm32-") && !name.is_empty()).then_some(parts)
    }

    /// Returns the nearest folder with a `Cargo.toml`, from that of the target directory upward.
    pub(super) fn project(&self) -> Option<PathBuf> {
        let mut folders = self.target_dir.ancestors().skip(1);
        folders.find(|folder| folder.join("Cargo.toml").is_file()).map(Path::to_owned)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_path_of_a_component_has_its_target_and_profile() {
        let file = BuiltFile::parse(Path::new("/app/target/wasm32-wasip2/release/my_api.wasm")).unwrap();
        let expected = BuiltFile {
            target_dir: "/app/target".into(),
            target: "wasm32-wasip2".into(),
            profile: "release".into(),
            name: "my_api".into(),
        };
        assert_eq!(file, expected);
        let relative = BuiltFile::parse(Path::new("target/wasm32-wasip1/debug/a.wasm")).unwrap();
        assert_eq!(relative.target_dir, std::env::current_dir().unwrap().join("target"));
    }

    #[test]
    fn other_paths_are_none_of_cargo() {
        for path in [
            "/app/dist/api.wasm",
            "/wasm32-wasip2/api.wasm",
            "/app/target/release/api.wasm",
            "/app/target/wasm32-wasip2/release/api.bin",
            "/app/target/wasm32-wasip2/release/examples/api.wasm",
            "/app/target/wasm32-wasip2/release/.wasm",
        ] {
            assert_eq!(BuiltFile::parse(Path::new(path)), None, "{path}");
        }
    }

    #[test]
    fn the_project_is_the_nearest_one_upward() {
        let directory = tempfile::tempdir().unwrap();
        let file = BuiltFile::parse(&directory.path().join("a/b/target/wasm32-wasip2/release/c.wasm")).unwrap();
        assert_eq!(file.project(), None);
        std::fs::create_dir_all(directory.path().join("a/b")).unwrap();
        std::fs::write(directory.path().join("Cargo.toml"), "").unwrap();
        assert_eq!(file.project(), Some(directory.path().to_owned()));
        std::fs::write(directory.path().join("a/Cargo.toml"), "").unwrap();
        assert_eq!(file.project(), Some(directory.path().join("a")));
    }
}
