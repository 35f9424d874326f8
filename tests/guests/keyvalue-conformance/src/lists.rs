//! Listing keys: every key once, by prefix, page by page.

use std::collections::BTreeSet;

use crate::scope::{Outcome, Scope, holds, same};

pub(crate) async fn list(on: Scope) -> Outcome {
    same("the keys of nothing", on.all("").await?, Vec::<String>::new())?;
    let keys: Vec<String> = (0..30).map(|number| on.key(&format!("{number:03}"))).collect();
    on.bucket.set_many(keys.iter().map(|key| (key.as_str(), "v"))).await?;
    same("the keys", on.all("").await?, keys.clone())?;
    on.bucket.delete_many(keys.iter().step_by(2).map(String::as_str)).await?;
    let odd: Vec<String> = keys.iter().skip(1).step_by(2).cloned().collect();
    same("the keys after deletes", on.all("").await?, odd)?;
    on.clean().await
}

/// A prefix is plain text: no character is special, it is case-sensitive, and a key is a prefix of itself.
pub(crate) async fn prefix(on: Scope) -> Outcome {
    let names = [
        "a",
        "a/",
        "a/b",
        "a/b/c",
        "ab",
        "A",
        "a.b",
        "a*",
        "a%",
        "a_b",
        "axb",
        "a\u{e4}",
        "a\u{e4}b",
        "b",
        "\u{e4}",
        "\u{10ffff}",
        "\u{10ffff}a",
        "~",
        "z>",
    ];
    on.bucket.set_many(names.map(|name| (on.key(name), "v"))).await?;
    let prefixes = [
        "",
        "a",
        "a/",
        "a/b",
        "a/b/",
        "A",
        "a*",
        "a%",
        "a_",
        "a.",
        "a\u{e4}",
        "b",
        "c",
        "*",
        ">",
        "z>",
        "\u{10ffff}",
        "abc",
    ];
    for prefix in prefixes {
        let mut wanted: Vec<String> =
            names.iter().filter(|name| name.starts_with(prefix)).map(|name| on.key(name)).collect();
        wanted.sort();
        same(&format!("the keys with {prefix:?}"), on.all(prefix).await?, wanted)?;
    }
    same("a prefix that no key can have", on.all(&"x".repeat(600)).await?, Vec::<String>::new())?;
    on.clean().await
}

/// More keys than one page of any host.
pub(crate) async fn pages(on: Scope) -> Outcome {
    let keys: BTreeSet<String> = (0..2_500).map(|number| on.key(&format!("{number:04}"))).collect();
    let all: Vec<&String> = keys.iter().collect();
    for some in all.chunks(250) {
        on.bucket.set_many(some.iter().map(|key| (key.as_str(), "v"))).await?;
    }
    let mut found = BTreeSet::new();
    let mut cursors = BTreeSet::new();
    let mut cursor = None;
    loop {
        let page = on.bucket.keys_page(on.prefix.as_str(), cursor.clone()).await?;
        let again = on.bucket.keys_page(on.prefix.as_str(), cursor).await?;
        same("the same page, asked for again", &again, &page)?;
        for key in page.keys {
            holds("a page has only keys of its prefix", key.starts_with(&on.prefix))?;
            holds("a key comes once", found.insert(key))?;
        }
        let Some(next) = page.cursor else { break };
        holds("a cursor comes once", cursors.insert(next.clone()))?;
        cursor = Some(next);
    }
    same("how many keys", found.len(), keys.len())?;
    holds("the pages have the keys that were written", found == keys)?;
    same("how many keys come by the stream", on.all("").await?.len(), keys.len())?;
    for some in all.chunks(250) {
        on.bucket.delete_many(some.iter().map(|key| key.as_str())).await?;
    }
    on.clean().await
}
