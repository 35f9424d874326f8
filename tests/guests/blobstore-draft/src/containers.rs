//! Finding containers: the configured ones exist, and others can be created if the host allows it.

use crate::api::{
    ObjectId, container_exists, copy_object, create_container, delete_container, empty, get_container, list, put, read,
};
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

/// Creates, uses and deletes containers, of which the component may have three. One of them, `own`, it leaves.
pub(crate) fn own() -> Outcome {
    let left = container_exists("own")?;
    let [one, two] = ["../own", "own/objects"];
    for name in [one, two] {
        same(&format!("whether {name:?} exists"), container_exists(name)?, false)?;
        fails(&format!("get {name:?}"), get_container(name))?;
        fails(&format!("delete {name:?}"), delete_container(name))?;
        let container = create_container(name)?;
        same("what a new container has", list(&container)?, Vec::<String>::new())?;
        put(&container, "n", name.as_bytes())?;
        same("name", container.name()?.as_str(), name)?;
    }
    let own = create_container("own")?;
    same("what is left of before", list(&own)?, if left { vec!["n".to_owned()] } else { Vec::new() })?;
    put(&own, "n", b"own")?;
    fails("one too many", create_container("fourth"))?;
    fails("a name without a character", create_container(""))?;
    for name in [one, two] {
        same(name, read(&get_container(name)?, "n")?, name.as_bytes())?;
    }
    let id = |container: &str, object: &str| ObjectId { container: container.to_owned(), object: object.to_owned() };
    copy_object(&id(one, "n"), &id(two, "copy"))?;
    copy_object(&id(one, "n"), &id(one, "copy"))?;
    same("what was copied", read(&get_container(two)?, "copy")?, one.as_bytes())?;
    same("what is in it", list(&get_container(one)?)?, vec!["copy".to_owned(), "n".to_owned()])?;
    let handle = get_container(one)?;
    for name in [one, two] {
        delete_container(name)?;
        same(&format!("whether {name:?} still exists"), container_exists(name)?, false)?;
    }
    same("whether a deleted container can be written", put(&handle, "n", b"late").is_err(), true)?;
    same("what is left in its namesake", list(&create_container(one)?)?, Vec::<String>::new())?;
    delete_container(one)?;
    same("what another has", read(&own, "n")?, b"own")
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
