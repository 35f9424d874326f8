//! Copying and moving objects, by the names of their containers.

use crate::api::{ObjectId, copy_object, empty, id, list, move_object, put, read};
use crate::scope::{Outcome, fails, same};

/// Copies or moves the object `from` to `to`.
pub(crate) fn act(moves: bool) -> Outcome {
    let (from, to) = (id("from"), id("to"));
    Ok(if moves { move_object(&from, &to) } else { copy_object(&from, &to) }?)
}

pub(crate) fn copy() -> Outcome {
    let container = empty()?;
    put(&container, "from", b"value")?;
    put(&container, "old", b"another value")?;
    for to in ["new", "old", "from"] {
        copy_object(&id("from"), &id(to))?;
        same(&format!("what is under {to:?}"), read(&container, to)?, b"value")?;
    }
    put(&container, "from", b"changed")?;
    same("the copy", read(&container, "new")?, b"value")?;
    Ok(container.clear()?)
}

pub(crate) fn rename() -> Outcome {
    let container = empty()?;
    put(&container, "from", b"value")?;
    put(&container, "old", b"another value")?;
    for (from, to, left) in [("from", "new", &["new", "old"][..]), ("new", "old", &["old"]), ("old", "old", &["old"])] {
        move_object(&id(from), &id(to))?;
        same(&format!("what is there after {from:?} was moved to {to:?}"), list(&container)?, left)?;
        same(&format!("what is under {to:?}"), read(&container, to)?, b"value")?;
    }
    Ok(container.clear()?)
}

/// A missing object cannot be copied or moved, and an unknown container is rejected.
pub(crate) fn nothing() -> Outcome {
    let container = empty()?;
    put(&container, "there", b"value")?;
    let nowhere = |name: &str| ObjectId { container: "nowhere".to_owned(), object: name.to_owned() };
    let cases = [
        (id("nothing"), id("there")),
        (id("nothing"), id("nothing")),
        (nowhere("there"), id("there")),
        (id("there"), nowhere("there")),
        (id("there"), id("")),
        (id(""), id("there")),
    ];
    for (from, to) in &cases {
        fails(&format!("copy {from:?} to {to:?}"), copy_object(from, to))?;
        fails(&format!("move {from:?} to {to:?}"), move_object(from, to))?;
    }
    same("what is there", list(&container)?, ["there"])?;
    same("what is under it", read(&container, "there")?, b"value")?;
    Ok(container.clear()?)
}
