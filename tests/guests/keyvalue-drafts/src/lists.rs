//! Listing keys: every key once, page by page.

use std::collections::BTreeSet;

use crate::scope::{Outcome, Scope, holds, same};

pub(crate) fn list(on: &Scope) -> Outcome {
    same("the keys of nothing", on.own()?, Vec::<String>::new())?;
    let keys: Vec<String> = (0..30).map(|number| on.key(&format!("{number:03}"))).collect();
    for key in &keys {
        on.bucket.set(key, b"v")?;
    }
    same("the keys", on.own()?, keys.clone())?;
    let (even, odd): (Vec<_>, Vec<_>) = keys.into_iter().enumerate().partition(|(index, _)| index % 2 == 0);
    for (_, key) in even {
        on.bucket.delete(&key)?;
    }
    same("the keys after deletes", on.own()?, odd.into_iter().map(|(_, key)| key).collect::<Vec<_>>())?;
    on.clean()
}

/// More keys than one page of any host.
pub(crate) fn pages(on: &Scope) -> Outcome {
    let keys: Vec<String> = (0..2_500).map(|number| on.key(&format!("{number:04}"))).collect();
    for some in keys.chunks(250) {
        let pairs: Vec<_> = some.iter().map(|key| (key.clone(), b"v".to_vec())).collect();
        on.bucket.set_many(&pairs)?;
    }
    let mut found = BTreeSet::new();
    let mut cursors = BTreeSet::new();
    let mut cursor: Option<String> = None;
    loop {
        let page = on.bucket.page(cursor.as_deref())?;
        same("the same page, asked for again", &on.bucket.page(cursor.as_deref())?, &page)?;
        for key in page.keys {
            holds("a key comes once", found.insert(key))?;
        }
        let Some(next) = page.cursor else { break };
        holds("a cursor comes once", cursors.insert(next.clone()))?;
        cursor = Some(next);
    }
    same("a key that is missing", keys.iter().find(|key| !found.contains(*key)), None)?;
    for some in keys.chunks(250) {
        on.bucket.delete_many(some)?;
    }
    on.clean()
}
