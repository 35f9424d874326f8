//! Lists: sorted by bytes, by prefix, and of more than a page.

use crate::scope::{Differs, Outcome, Scope, holds, same};

/// Names in byte order, which is not alphabetical.
const NAMES: &[&str] = &[
    "",
    "\0",
    " ",
    "%",
    "*",
    "-",
    "/",
    "/a",
    "A",
    "B",
    "a",
    "a/",
    "a/b",
    "a0",
    "aa",
    "b",
    "\u{e4}",
    "\u{fffd}",
    "\u{1f980}",
];

/// Sorted by bytes, with the properties of each object.
pub(crate) async fn list(on: Scope) -> Outcome {
    same("before", on.all("").await?, Vec::<String>::new())?;
    // In another order than the list's.
    for (index, name) in NAMES.iter().enumerate().rev() {
        on.container.put(on.name(name), "x".repeat(index)).await?;
    }
    same("all", on.all("").await?, NAMES.to_vec())?;
    let mut entries = on.container.list(on.name(""));
    while let Some(entry) = entries.try_next().await? {
        let info = on.container.stat(entry.name.as_str()).await?;
        let info = info.ok_or_else(|| Differs::new(format_args!("{:?} is in the list only", entry.name)))?;
        let (listed, stat) = ((entry.size, entry.created, entry.etag), (info.size, info.created, info.etag));
        same(&format!("the listed properties of {:?}", entry.name), listed, stat)?;
    }
    on.clean().await
}

/// A prefix is plain text: it need not end at a slash, and no character is special.
pub(crate) async fn prefix(on: Scope) -> Outcome {
    for name in NAMES {
        on.container.put(on.name(name), "").await?;
    }
    for prefix in ["a", "a/", "a/b", "a/bc", "/", "%", "*", "\0", "\u{e4}", "A", "nothing", "?", "."] {
        let wanted: Vec<&str> = NAMES.iter().filter(|name| name.starts_with(prefix)).copied().collect();
        same(&format!("the names that begin with {prefix:?}"), on.all(prefix).await?, wanted)?;
    }
    on.clean().await
}

/// More than any page; each once, and sorted. A list that is dropped midway blocks no other operation.
pub(crate) async fn many(on: Scope) -> Outcome {
    let names: Vec<String> = (0..2_100).map(|number| format!("{number:05}")).collect();
    for chunk in names.chunks(50) {
        let puts = chunk.iter().map(|name| on.container.put(on.name(name), ""));
        futures::future::try_join_all(puts).await?;
    }
    holds("all are in the list, in order", on.all("").await? == names)?;
    same("those with a prefix", on.all("0007").await?, names.get(70..80).unwrap_or_default())?;
    let mut left = on.container.list(on.name(""));
    holds("a first one comes", left.try_next().await?.is_some())?;
    drop(left);
    for chunk in names.chunks(50) {
        futures::future::try_join_all(chunk.iter().map(|name| on.container.delete(on.name(name)))).await?;
    }
    on.clean().await
}
