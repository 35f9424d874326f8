//! `Flowchart`: writes a flowchart in the language of Mermaid, which GitHub and editors render.
//!
//! Labels come from manifests and components, so they are escaped and bounded, as are the edges: Mermaid refuses to render
//! more than 500.

use std::collections::BTreeMap;
use std::fmt::Write as _;

/// Maximum length of a label, in characters.
const MAX_LABEL_CHARS: usize = 64;
/// Maximum number of edges.
const MAX_EDGES: usize = 400;

/// The shape of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Shape {
    /// A component.
    Rectangle,
    /// A source of calls.
    Stadium,
    /// A store.
    Cylinder,
    /// A resource outside of the process.
    Hexagon,
}

/// The line of an edge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Line {
    /// An arrow.
    Arrow,
    /// A dotted arrow.
    Dotted,
    /// A thick arrow.
    Thick,
    /// A line without a head.
    Plain,
}

/// A node of a chart: its shape and label.
pub(crate) type Node<'a> = (Shape, &'a str);

/// A flowchart from left to right.
#[derive(Debug, Default)]
pub(crate) struct Flowchart {
    /// The numbers of the nodes.
    nodes: BTreeMap<(Shape, String), usize>,
    text: String,
    edges: Vec<String>,
    /// The number of edges that the chart has no room for.
    omitted: usize,
}

impl Flowchart {
    /// Adds `node`, unless it is there. Returns its number.
    pub(crate) fn add(&mut self, (shape, label): Node<'_>) -> usize {
        let next = self.nodes.len();
        if let Some(known) = self.nodes.get(&(shape, label.to_owned())) {
            return *known;
        }
        self.nodes.insert((shape, label.to_owned()), next);
        let (open, close) = match shape {
            Shape::Rectangle => ("[", "]"),
            Shape::Stadium => ("([", "])"),
            Shape::Cylinder => ("[(", ")]"),
            Shape::Hexagon => ("{{", "}}"),
        };
        // Writing to a string cannot fail.
        let _ = writeln!(self.text, "  n{next}{open}\"{}\"{close}", escape(label));
        next
    }

    /// Adds an edge with its nodes, unless it is there or the chart is full.
    pub(crate) fn connect(&mut self, from: Node<'_>, line: Line, label: &str, to: Node<'_>) {
        if self.edges.len() >= MAX_EDGES {
            self.omitted = self.omitted.saturating_add(1);
            return;
        }
        let line = match line {
            Line::Arrow => "-->",
            Line::Dotted => "-.->",
            Line::Thick => "==>",
            Line::Plain => "---",
        };
        let label = if label.is_empty() { String::new() } else { format!("|\"{}\"|", escape(label)) };
        let (from, to) = (self.add(from), self.add(to));
        let edge = format!("  n{from} {line}{label} n{to}\n");
        if !self.edges.contains(&edge) {
            self.edges.push(edge);
        }
    }

    /// Returns the text of the chart.
    pub(crate) fn finish(mut self) -> String {
        if self.omitted > 0 {
            let omitted = format!("{} more connections are not drawn", self.omitted);
            self.add((Shape::Rectangle, &omitted));
        }
        format!("flowchart LR\n{}{}", self.text, self.edges.concat())
    }
}

/// Escapes what Mermaid or the Markdown in its labels gives a meaning, and clips long labels.
fn escape(label: &str) -> String {
    let mut escaped = String::new();
    for (index, character) in label.chars().enumerate() {
        if index >= MAX_LABEL_CHARS {
            escaped.push('\u{2026}');
            break;
        }
        match character {
            'a'..='z' | 'A'..='Z' | '0'..='9' | ' ' | '/' | '.' | ':' | '-' | ',' | '=' | '@' | '?' | '{' | '}' => {
                escaped.push(character);
            }
            // A terminal must not see it, and it has no glyph.
            _ if character.is_control() => escaped.push('\u{fffd}'),
            _ => {
                let _ = write!(escaped, "#{};", u32::from(character));
            }
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nodes_and_edges_are_written_once() {
        let mut chart = Flowchart::default();
        let api = (Shape::Rectangle, "api");
        chart.connect((Shape::Stadium, "route /*"), Line::Arrow, "", api);
        chart.connect((Shape::Stadium, "route /*"), Line::Arrow, "", api);
        chart.connect(api, Line::Plain, "cache", (Shape::Cylinder, "keyvalue memory:"));
        chart.connect(api, Line::Dotted, "", (Shape::Hexagon, "https://a.test"));
        chart.add(api);
        let expected = "flowchart LR\n  n0([\"route /#42;\"])\n  n1[\"api\"]\n  n2[(\"keyvalue memory:\")]\n  \
                        n3{{\"https://a.test\"}}\n  n0 --> n1\n  n1 ---|\"cache\"| n2\n  n1 -.-> n3\n";
        assert_eq!(chart.finish(), expected);
    }

    #[test]
    fn labels_have_no_syntax_of_their_own() {
        assert_eq!(
            escape("a\"]; click n0 <b>`#*_\\%%$$"),
            "a#34;#93;#59; click n0 #60;b#62;#96;#35;#42;#95;#92;#37;#37;#36;#36;"
        );
        assert_eq!(escape("a\nb\u{1b}[2J"), "a\u{fffd}b\u{fffd}#91;2J");
        assert_eq!(escape("\u{e9}"), "#233;");
    }

    #[test]
    fn labels_and_edges_are_bounded() {
        for (length, clipped) in [(63, false), (64, false), (65, true)] {
            let escaped = escape(&"a".repeat(length));
            assert_eq!((escaped.chars().count(), escaped.ends_with('\u{2026}')), (length.min(65), clipped));
        }
        for (count, omitted) in [(399, None), (400, None), (401, Some("1 more")), (410, Some("10 more"))] {
            let mut chart = Flowchart::default();
            let one = (Shape::Rectangle, "a");
            (0..count).for_each(|index| chart.connect(one, Line::Arrow, &index.to_string(), one));
            let text = chart.finish();
            assert_eq!(text.matches("-->").count(), count.min(MAX_EDGES));
            assert_eq!(text.contains("not drawn"), omitted.is_some(), "{count}");
            assert!(omitted.is_none_or(|omitted| text.contains(omitted)), "{count}");
        }
    }
}
