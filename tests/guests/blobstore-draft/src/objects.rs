//! Objects: their existence, properties and deletion.

use crate::api::{Container, OutgoingValue, empty, list, part, put, read};
use crate::scope::{Outcome, fails, same};

pub(crate) fn write_and_read() -> Outcome {
    let container = empty()?;
    let all: Vec<u8> = (0..=255).collect();
    for (name, bytes) in [("empty", &[][..]), ("one", &[7]), ("all", &all), ("a/../b\0 \u{e4}\u{1f980}", b"odd")] {
        put(&container, name, bytes)?;
        same(&format!("what is under {name:?}"), read(&container, name)?, bytes)?;
        same(&format!("whether there is {name:?}"), container.has_object(name)?, true)?;
    }
    same("how many there are", list(&container)?.len(), 4)?;
    Ok(container.clear()?)
}

pub(crate) fn info() -> Outcome {
    let container = empty()?;
    put(&container, "n", b"value")?;
    let info = container.object_info("n")?;
    same("name", info.name, "n")?;
    same("container", info.container, "default")?;
    same("size", info.size, 5)?;
    // After 2020 and before 2200: the time is in seconds.
    same("created", (1_577_836_800..7_258_118_400).contains(&info.created_at), true)?;
    Ok(container.clear()?)
}

fn is_gone(container: &Container, name: &str) -> Outcome {
    same(&format!("whether there is {name:?}"), container.has_object(name)?, false)?;
    fails(&format!("information on {name:?}"), container.object_info(name))?;
    fails(&format!("data of {name:?}"), container.get_data(name, 0, 0))
}

pub(crate) fn delete() -> Outcome {
    let container = empty()?;
    let names = ["a", "b", "c", "d"];
    for name in names {
        put(&container, name, name.as_bytes())?;
    }
    for _ in 0..2 {
        container.delete_object("a")?;
        is_gone(&container, "a")?;
    }
    container.delete_objects(&["b", "nothing", "d"].map(str::to_owned))?;
    for name in ["b", "d"] {
        is_gone(&container, name)?;
    }
    container.delete_objects(&[])?;
    same("what is left", list(&container)?, ["c"])?;
    same("what is there", read(&container, "c")?, b"c")?;
    Ok(container.clear()?)
}

pub(crate) fn clear() -> Outcome {
    let container = empty()?;
    for name in ["a", "b", "c"] {
        put(&container, name, b"value")?;
    }
    for _ in 0..2 {
        container.clear()?;
        same("what is left", list(&container)?, Vec::<String>::new())?;
    }
    is_gone(&container, "a")
}

/// 1,024 bytes are a valid name; 0 and 1,025 bytes are not.
pub(crate) fn bad_names() -> Outcome {
    let container = empty()?;
    let longest = "n".repeat(1024);
    put(&container, &longest, b"value")?;
    same("what is there", part(&container, &longest, 1, 2)?, b"al")?;
    for name in [String::new(), "n".repeat(1025)] {
        let what = |operation: &str| format!("{operation} of a name of {} bytes", name.len());
        fails(&what("write-data"), container.write_data(&name, &OutgoingValue::new_outgoing_value()))?;
        fails(&what("get-data"), container.get_data(&name, 0, 1))?;
        fails(&what("has-object"), container.has_object(&name))?;
        fails(&what("object-info"), container.object_info(&name))?;
        fails(&what("delete-object"), container.delete_object(&name))?;
        fails(&what("delete-objects"), container.delete_objects(&[longest.clone(), name.clone()]))?;
    }
    same("what is left", list(&container)?, [longest])?;
    Ok(container.clear()?)
}
