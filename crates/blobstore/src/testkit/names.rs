//! Names: any text is a name, and listings are in the order of its bytes.

use std::sync::Arc;

use anyhow::{Context as _, Result, ensure};

use super::{NAMES, entry, list, put, read};
use crate::{Container, Entry, ErrorKind, PutOptions};

pub(super) async fn names_are_opaque_and_listed_in_order(container: &Arc<dyn Container>) -> Result<()> {
    let mut infos = Vec::new();
    // Not in their order, so that the order is the backend's work.
    for name in NAMES.iter().rev() {
        infos.push(
            put(container, name, name.as_bytes(), PutOptions::default()).await.with_context(|| format!("{name:?}"))?,
        );
    }
    infos.reverse();
    for (name, info) in NAMES.iter().zip(&infos) {
        let (found, data) = read(container, name, None).await.with_context(|| format!("{name:?}"))?;
        ensure!(found == *info && found.name == *name && data == name.as_bytes(), "{name:?} became another object");
    }
    let all: Vec<Entry> = infos.iter().map(entry).collect();
    for limit in [1, 7, NAMES.len(), 1000] {
        ensure!(list(container, "", limit).await? == all, "the listing in pages of {limit} is another");
    }
    for prefix in ["a", "a/", "a//", ".", "..", "/", "\0", " ", "!", "~", "ä", "a/.", "zz", "a\0"] {
        let expected: Vec<Entry> = all.iter().filter(|entry| entry.name.starts_with(prefix)).cloned().collect();
        for limit in [1, 3, 1000] {
            ensure!(list(container, prefix, limit).await? == expected, "the listing of {prefix:?} is another");
        }
    }
    for after in ["", "a", "a/", "a/c", "b", "zz", "🔑", "🔒"] {
        let expected: Vec<Entry> = all.iter().filter(|entry| entry.name.as_str() > after).cloned().collect();
        ensure!(container.list("", Some(after), 1000).await? == expected, "the listing after {after:?} is another");
    }
    ensure!(container.list("b", Some("a"), 10).await?.is_empty(), "a listing shows what lacks the prefix");
    for name in NAMES {
        container.delete(name).await.with_context(|| format!("{name:?}"))?;
        ensure!(container.stat(name).await?.is_none(), "{name:?} was not deleted");
    }
    Ok(())
}

pub(super) async fn long_names_differ_at_their_end(container: &Arc<dyn Container>) -> Result<()> {
    // The longest that are allowed, alike up to their last character.
    let mut names = Vec::new();
    for unit in ["n", "A", "/", "ü", "\0", "."] {
        for end in ["a", "b"] {
            let mut name = unit.repeat(1023 / unit.len());
            name.push_str(end);
            names.push(name);
        }
    }
    names.sort();
    let mut kept = Vec::new();
    for name in &names {
        match put(container, name, name.as_bytes(), PutOptions::default()).await {
            Ok(_) => kept.push(name.clone()),
            // A server may not hold what becomes longer when it is written in its alphabet, and must say so.
            Err(error) => {
                let kind = error.downcast_ref().map(crate::Error::kind);
                ensure!(kind == Some(ErrorKind::InvalidArgument), "{error:#}");
                ensure!(!name.starts_with('n'), "a name of 1,024 plain characters is too long");
            }
        }
    }
    let listed: Vec<String> = list(container, "", 5).await?.into_iter().map(|entry| entry.name).collect();
    ensure!(listed == kept, "long names are listed otherwise");
    for name in &kept {
        ensure!(read(container, name, None).await?.1 == name.as_bytes(), "a long name became another object");
        container.delete(name).await?;
    }
    Ok(())
}
