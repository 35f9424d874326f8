//! Lists a directory of objects in the order of their names, with bounded memory.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use super::Directory;
use super::names::{Decoded, decode};
use super::object::{failed, open};
use crate::{Entry, ErrorKind, Result, record};

/// Selects names that begin with `prefix` and follow `after`.
pub(super) struct Query {
    pub(super) prefix: String,
    pub(super) after: Option<String>,
}

impl Query {
    fn matches(&self, name: &str) -> bool {
        name.starts_with(&self.prefix) && self.after.as_ref().is_none_or(|after| name > after.as_str())
    }

    /// Returns true if a name with the prefix `head` can match.
    fn may_match(&self, head: &[u8]) -> bool {
        let overlaps = |text: &str| head.starts_with(text.as_bytes()) || text.as_bytes().starts_with(head);
        let after = self.after.as_deref();
        overlaps(&self.prefix) && after.is_none_or(|after| head > after.as_bytes() || overlaps(after))
    }
}

/// Lists the first `limit` matching objects.
pub(super) fn list(directory: &Directory, mut query: Query, limit: usize) -> Result<Vec<Entry>> {
    let mut found = Vec::new();
    loop {
        let wanted = limit.saturating_sub(found.len());
        let selected = select(directory, &query, wanted)?;
        let all = selected.len() < wanted;
        for (name, path) in selected {
            match open(&path) {
                Ok((_, info)) => found.push(record::entry(&info)),
                // Deleted since the directory was read: the next name takes its place.
                Err(error) if error.kind() == ErrorKind::NoSuchObject => {}
                Err(error) => return Err(error),
            }
            query.after = Some(name);
        }
        if all || found.len() >= limit {
            return Ok(found);
        }
    }
}

/// Selects the first `limit` matching names with the paths of their files.
fn select(directory: &Directory, query: &Query, limit: usize) -> Result<BTreeMap<String, PathBuf>> {
    let mut selected = BTreeMap::new();
    for entry in fs::read_dir(&directory.objects).map_err(|error| failed("list", &error))? {
        let path = entry.map_err(|error| failed("list", &error))?.path();
        let Some(file) = path.file_name().and_then(|name| name.to_str()) else { continue };
        let name = match decode(file) {
            Some(Decoded::Whole(name)) => name,
            Some(Decoded::Head(head)) if query.may_match(&head) => match open(&path) {
                Ok((_, info)) => info.name,
                Err(error) if error.kind() == ErrorKind::NoSuchObject => continue,
                Err(error) => return Err(error),
            },
            _ => continue,
        };
        if !query.matches(&name) {
            continue;
        }
        let beyond = selected.len() >= limit && selected.last_key_value().is_none_or(|(last, _)| *last < name);
        if !beyond {
            selected.insert(name, path);
            if selected.len() > limit {
                selected.pop_last();
            }
        }
    }
    Ok(selected)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_match() {
        let query = |prefix: &str, after: Option<&str>| Query { prefix: prefix.into(), after: after.map(Into::into) };
        assert!(query("", None).may_match(b"abc"));
        assert!(query("ab", None).may_match(b"abc"));
        assert!(query("abcd", None).may_match(b"abc"));
        assert!(!query("abd", None).may_match(b"abc"));
        assert!(query("", Some("abb")).may_match(b"abc"));
        assert!(query("", Some("abcd")).may_match(b"abc"), "abcz comes after");
        assert!(query("", Some("ab")).may_match(b"abc"));
        assert!(!query("", Some("abd")).may_match(b"abc"));
    }
}
