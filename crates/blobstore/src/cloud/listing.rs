//! Listing a store in the order of the names.

use std::collections::BTreeMap;

use futures::TryStreamExt as _;
use object_store::ObjectMeta;
use object_store::path::Path;

use super::{ObjectStore, created, etag, failed};
use crate::{Entry, Result};

/// The first `limit` objects whose names begin with `prefix` and come after `after`.
pub(super) async fn list(
    container: &ObjectStore,
    prefix: &str,
    after: Option<&str>,
    limit: usize,
) -> Result<Vec<Entry>> {
    let begins = container.keys.begins(prefix);
    // A store lists whole segments only; what else the prefix says is judged here.
    let directory = begins.rsplit_once('/').and_then(|(directory, _)| Path::parse(directory).ok());
    let found = match offset(container, prefix, &begins, after) {
        Some(offset) => container.store.list_with_offset(directory.as_ref(), &offset),
        None => container.store.list(directory.as_ref()),
    };
    let matches = |name: &str| name.starts_with(prefix) && after.is_none_or(|after| name > after);
    let mut found = found.map_err(|error| failed("list", &error));
    let mut first: BTreeMap<String, ObjectMeta> = BTreeMap::new();
    while let Some(meta) = found.try_next().await? {
        let Some(name) = container.keys.decode(&meta.location) else { continue };
        let beyond = first.len() >= limit && first.last_key_value().is_none_or(|(last, _)| *last < name);
        if container.traits.ordered && (beyond || !name.starts_with(prefix) && name.as_str() > prefix) {
            break;
        }
        if matches(&name) && !beyond {
            first.insert(name, meta);
            if first.len() > limit {
                first.pop_last();
            }
        }
    }
    let entry = |(name, meta): (String, ObjectMeta)| Entry {
        name,
        size: meta.size,
        created: created(&meta),
        etag: etag(&meta),
    };
    Ok(first.into_iter().map(entry).collect())
}

/// A key before all that is asked for, and as close to it as can be said.
fn offset(container: &ObjectStore, prefix: &str, begins: &str, after: Option<&str>) -> Option<Path> {
    if let Some(after) = after.filter(|after| *after >= prefix) {
        return container.keys.encode(after).ok();
    }
    let mut before = begins.to_owned();
    before.pop();
    // What is cut in the middle may be no path; then the listing begins a little earlier.
    Path::parse(&before).ok().filter(|offset| !offset.is_root())
}
