//! Detects whether a component is up to date with its sources, tools and interfaces.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use sha2::{Digest, Sha256};

use super::wit::Interfaces;

/// A digest of all inputs of a component.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Stamp(String);

impl Stamp {
    /// Computes the digest of the files in `source`, the tools' versions and the interfaces.
    pub(super) fn of(source: &Path, tools: &[&str], interfaces: &[&Interfaces]) -> Result<Self> {
        let mut digest = Sha256::new();
        // Each part is preceded by its length, so that different lists of parts have different digests.
        let mut add = |part: &[u8]| {
            digest.update(part.len().to_le_bytes());
            digest.update(part);
        };
        tools.iter().for_each(|tool| add(tool.as_bytes()));
        for (name, text) in interfaces.iter().flat_map(|interfaces| &interfaces.files) {
            add(name.as_bytes());
            add(text.as_bytes());
        }
        let entries = fs::read_dir(source).with_context(|| format!("cannot read {}", source.display()))?;
        let mut files = entries.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>>>()?;
        files.sort();
        for file in files.iter().filter(|path| path.is_file()) {
            add(file.as_os_str().as_encoded_bytes());
            add(&fs::read(file)?);
        }
        Ok(Self(digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect()))
    }

    pub(super) fn is_in(&self, file: &Path) -> bool {
        fs::read_to_string(file).is_ok_and(|text| text == self.0)
    }

    pub(super) fn write(&self, file: &Path) -> Result<()> {
        fs::write(file, &self.0).with_context(|| format!("cannot write {}", file.display()))
    }
}
