//! The findings of the checks, each with its location.

use anyhow::{Result, bail};

/// A list of findings.
#[derive(Debug, Default)]
pub(super) struct Problems(Vec<String>);

impl Problems {
    /// Adds a finding for a file, or for a line of it.
    pub(super) fn add(&mut self, place: impl std::fmt::Display, what: impl std::fmt::Display) {
        self.0.push(format!("{place}: {what}"));
    }

    /// Prints the findings and fails if there are any.
    pub(super) fn into_result(self) -> Result<()> {
        for problem in &self.0 {
            eprintln!("{problem}");
        }
        match self.0.len() {
            0 => Ok(()),
            1 => bail!("1 rule is broken"),
            count => bail!("{count} rules are broken"),
        }
    }

    #[cfg(test)]
    pub(super) fn lines(&self) -> &[String] {
        &self.0
    }
}
