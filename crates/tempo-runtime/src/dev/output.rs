//! `Printer`: writes the output of builds and what became of them to standard error, in order with the log. Each kind has a color.

use std::fmt;
use std::io::IsTerminal as _;
use std::time::Duration;

use tracing::Level;

use crate::log_line;

/// Returns whether standard error shows colors: it is a terminal, and `NO_COLOR` is not set.
pub(crate) fn has_colors() -> bool {
    let forbids = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    std::io::stderr().is_terminal() && !forbids
}

/// Writes lines to standard error.
#[derive(Clone, Copy, Debug)]
pub(super) struct Printer {
    color: bool,
}

/// The parameters of the escape sequences of colors.
const CYAN: &str = "36";
const BOLD_GREEN: &str = "1;32";
const BOLD_RED: &str = "1;31";

impl Printer {
    pub(super) fn new() -> Self {
        Self { color: has_colors() && !log_line::is_json() }
    }

    /// Returns whether lines may have colors.
    pub(super) fn has_colors(self) -> bool {
        self.color
    }

    /// Writes a line of the output of the build of `component`.
    pub(super) fn build(self, component: &str, line: &str) {
        log_line::write(Level::INFO, &format!("{} {line}", self.colored(CYAN, &format!("{component} |"))));
    }

    /// Writes what became of a build or a reload.
    pub(super) fn success(self, text: &str) {
        log_line::write(Level::INFO, &self.colored(BOLD_GREEN, text));
    }

    /// Writes why a build or a reload had no effect.
    pub(super) fn failure(self, text: &str) {
        log_line::write(Level::ERROR, &self.colored(BOLD_RED, text));
    }

    fn colored(self, color: &str, text: &str) -> String {
        if self.color { format!("\x1b[{color}m{text}\x1b[0m") } else { text.to_owned() }
    }
}

/// A time as users read it: `40 ms`, `1.2 s`.
pub(super) struct Elapsed(pub Duration);

impl fmt::Display for Elapsed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // 999.6 ms would be rounded to 1000 ms.
        if self.0 < Duration::from_micros(999_500) {
            write!(f, "{:.0} ms", self.0.as_secs_f64() * 1000.0)
        } else {
            write!(f, "{:.1} s", self.0.as_secs_f64())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_short() {
        let text = |micros| Elapsed(Duration::from_micros(micros)).to_string();
        assert_eq!(text(400), "0 ms");
        assert_eq!(text(40_000), "40 ms");
        assert_eq!(text(999_499), "999 ms");
        assert_eq!(text(999_500), "1.0 s");
        assert_eq!(text(1_240_000), "1.2 s");
    }

    #[test]
    fn colors_can_be_off() {
        assert_eq!(Printer { color: true }.colored(CYAN, "api |"), "\x1b[36mapi |\x1b[0m");
        assert_eq!(Printer { color: false }.colored(CYAN, "api |"), "api |");
    }
}
