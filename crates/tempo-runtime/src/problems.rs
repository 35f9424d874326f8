//! `Problems`: collects the errors of one file or step, so that a user sees all of them at once.

use tempo_settings::{Error, ErrorKind, one_line};

/// The errors found so far.
pub(crate) struct Problems {
    /// The file, or what else the errors are about.
    subject: String,
    /// Each with the line that orders them.
    errors: Vec<(usize, Error)>,
}

impl Problems {
    /// Creates an empty list about `subject`.
    pub(crate) fn new(subject: impl Into<String>) -> Self {
        Self { subject: subject.into(), errors: Vec::new() }
    }

    /// Adds `error`, which is listed in the order of `line`.
    pub(crate) fn add(&mut self, line: usize, error: Error) {
        self.errors.push((line, error));
    }

    /// Adds those of `errors` that are not there yet: several components have settings of the top, and several checks read one
    /// setting.
    pub(crate) fn add_new(&mut self, errors: impl IntoIterator<Item = Error>) {
        let known = self.errors.len();
        for error in errors {
            if !self.errors.iter().take(known).any(|(_, known)| *known == error) {
                self.errors.push((0, error));
            }
        }
    }

    /// Adds the errors of `other`.
    pub(crate) fn append(&mut self, other: Self) {
        self.errors.extend(other.errors);
    }

    /// Returns one error for all, if there are any: of the kind of the first one.
    ///
    /// # Errors
    ///
    /// There are problems.
    pub(crate) fn into_result(self) -> Result<(), Error> {
        let Self { subject, mut errors } = self;
        errors.sort_by_key(|(line, _)| *line);
        match errors.len() {
            0 => Ok(()),
            1 => errors.pop().map_or(Ok(()), |(_, error)| Err(error)),
            count => {
                let kind = errors.first().map_or(ErrorKind::BadConfiguration, |(_, error)| error.kind());
                let lines: String = errors.iter().map(|(_, error)| format!("\n  {}", one_line(error))).collect();
                Err(Error::new(kind, format!("{subject} has {count} problems:{lines}")))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_problem_is_its_own_error_and_many_are_a_list() {
        let problem = |text: &str| Error::new(ErrorKind::NotFound, text);
        assert_eq!(Problems::new("a").into_result(), Ok(()));
        let mut problems = Problems::new("a");
        problems.add(2, problem("second"));
        problems.add(1, problem("first"));
        let error = problems.into_result().unwrap_err();
        assert_eq!(
            (error.to_string().as_str(), error.kind()),
            ("a has 2 problems:\n  first\n  second", ErrorKind::NotFound)
        );
        let mut problems = Problems::new("a");
        problems.add(0, problem("only"));
        problems.add_new([problem("only")]);
        assert_eq!(problems.into_result().unwrap_err().to_string(), "only");
    }
}
