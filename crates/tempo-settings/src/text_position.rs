//! `TextPosition`: a place in a file of settings, for errors.

use std::fmt;

/// A line and a column, both counted from 1. Displayed as `LINE:COLUMN`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TextPosition {
    /// The line.
    pub line: usize,
    /// The column, in characters.
    pub column: usize,
}

impl TextPosition {
    /// Returns the position of the byte `offset` of `text`.
    pub fn of(text: &str, offset: usize) -> Self {
        let before = text.get(..text.floor_char_boundary(offset)).unwrap_or(text);
        let line = before.matches('\n').count().saturating_add(1);
        let start = before.rfind('\n').map_or(0, |newline| newline.saturating_add(1));
        let column = before.get(start..).unwrap_or_default().chars().count().saturating_add(1);
        Self { line, column }
    }
}

impl fmt::Display for TextPosition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.line, self.column)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_count_characters_from_1() {
        for (offset, expected) in [(0, "1:1"), (2, "1:2"), (3, "1:3"), (4, "2:1"), (5, "2:2"), (6, "2:3"), (99, "2:3")]
        {
            assert_eq!(TextPosition::of("aé\nbc", offset).to_string(), expected, "{offset}");
        }
        assert_eq!(TextPosition::of("", 0).to_string(), "1:1");
    }
}
