//! Lists a store, sorted by name.

use std::collections::BTreeMap;

use futures::TryStreamExt as _;
use object_store::ObjectMeta;
use object_store::path::Path;

use super::{ObjectStore, created, etag, failed};
use crate::{Entry, Result};

/// Lists the first `limit` objects with the prefix `prefix` after the name `after`.
pub(super) async fn list(
    container: &ObjectStore,
    prefix: &str,
    after: Option<&str>,
    limit: usize,
) -> Result<Vec<Entry>> {
    let begins = container.keys.begins(prefix);
    // Stores list whole path segments only: filter by the rest of the prefix here.
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

/// Returns the largest possible key before all requested ones, to start the listing after.
fn offset(container: &ObjectStore, prefix: &str, begins: &str, after: Option<&str>) -> Option<Path> {
    if let Some(after) = after.filter(|after| *after >= prefix) {
        return container.keys.encode(after).ok();
    }
    let mut before = begins.to_owned();
    before.pop();
    // A truncated key may be an invalid path; then the listing starts earlier.
    Path::parse(&before).ok().filter(|offset| !offset.is_root())
}
