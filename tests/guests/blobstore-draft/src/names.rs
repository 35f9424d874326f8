//! Lists of names, read and skipped in parts.

use crate::api::{empty, put};
use crate::scope::{Outcome, holds, same};

const NAMES: [&str; 5] = ["A", "a", "a/b", "b", "\u{e4}"];

fn list_of(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

pub(crate) fn list() -> Outcome {
    let container = empty()?;
    same("an empty list", container.list_objects()?.read_stream_object_names(10)?, (Vec::new(), true))?;
    for name in NAMES.iter().rev() {
        put(&container, name, b"")?;
    }
    let names = container.list_objects()?;
    let mut all = Vec::new();
    for (count, ended) in [(2, false), (0, false), (2, false), (2, true)] {
        let (page, end) = names.read_stream_object_names(count)?;
        holds(&format!("at most {count} names"), page.len() as u64 <= count)?;
        same(&format!("whether it has ended after {}", all.len() + page.len()), end, ended)?;
        all.extend(page);
    }
    same("all names", all, list_of(&NAMES))?;
    same("after the end", names.read_stream_object_names(1)?, (Vec::new(), true))?;

    let names = container.list_objects()?;
    same("how many are skipped", names.skip_stream_object_names(2)?, (2, false))?;
    same("the next one", names.read_stream_object_names(1)?, (list_of(&["a/b"]), false))?;
    same("how many are skipped of what is left", names.skip_stream_object_names(u64::MAX)?, (2, true))?;
    same("after the end", names.skip_stream_object_names(1)?, (0, true))?;
    Ok(container.clear()?)
}

/// More than any page.
pub(crate) fn many() -> Outcome {
    let container = empty()?;
    let wanted: Vec<String> = (0..1_100).map(|number| format!("{number:05}")).collect();
    for name in &wanted {
        put(&container, name, b"")?;
    }
    holds("all are in the list, in order", crate::api::list(&container)? == wanted)?;
    let names = container.list_objects()?;
    same("how many are skipped", names.skip_stream_object_names(1_050)?, (1_050, false))?;
    same("how many are left", names.read_stream_object_names(u64::MAX)?.0.len(), 50)?;
    Ok(container.clear()?)
}
