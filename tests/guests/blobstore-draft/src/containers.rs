//! Finding containers: the configured ones exist, and no others can be created.

use crate::api::{container_exists, create_container, delete_container, empty, get_container, list, put, read};
use crate::scope::{Outcome, fails, same};

pub(crate) fn containers() -> Outcome {
    same("whether it exists", container_exists("default")?, true)?;
    same("whether nowhere exists", container_exists("nowhere")?, false)?;
    let container = get_container("default")?;
    same("name", container.name()?, "default")?;
    same("name in the information", container.info()?.name, "default")?;
    for name in ["nowhere", "", "Default", "../default"] {
        fails(&format!("get {name:?}"), get_container(name))?;
        fails(&format!("create {name:?}"), create_container(name))?;
        fails(&format!("delete {name:?}"), delete_container(name))?;
        same(&format!("whether {name:?} exists"), container_exists(name)?, false)?;
    }
    // Two handles refer to one container, and creating an existing one opens it.
    put(&empty()?, "n", b"value")?;
    let created = create_container("default")?;
    same("what another handle wrote", read(&created, "n")?, b"value")?;
    Ok(created.clear()?)
}

/// Deleting removes the objects; the configured container remains.
pub(crate) fn delete() -> Outcome {
    let container = empty()?;
    for name in ["a", "b"] {
        put(&container, name, b"value")?;
    }
    delete_container("default")?;
    let container = create_container("default")?;
    same("what is left", list(&container)?, Vec::<String>::new())?;
    put(&container, "c", b"value")?;
    same("what was written afterwards", read(&container, "c")?, b"value")?;
    Ok(container.clear()?)
}
