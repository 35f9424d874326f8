//! `TemplateFile`: a file of a template, in which placeholders stand for the values of a project.

/// A file of a template.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TemplateFile {
    /// Its path in the project's folder.
    pub path: &'static str,
    /// Its text, with placeholders.
    pub text: &'static str,
}

impl TemplateFile {
    pub(crate) const fn new(path: &'static str, text: &'static str) -> Self {
        Self { path, text }
    }

    /// Returns the text with the values for the placeholders.
    pub(crate) fn render(&self, values: &[(&str, &str)]) -> String {
        values.iter().fold(self.text.to_owned(), |text, (placeholder, value)| text.replace(placeholder, value))
    }
}
