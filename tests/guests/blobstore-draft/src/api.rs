//! The draft's functions, combined for the checks.

pub(crate) use bindings::wasi::blobstore::blobstore::{
    container_exists, copy_object, create_container, delete_container, get_container, move_object,
};
pub(crate) use bindings::wasi::blobstore::container::Container;
pub(crate) use bindings::wasi::blobstore::types::{IncomingValue, ObjectId, OutgoingValue};
pub(crate) use bindings::wasi::io::streams::{InputStream, OutputStream, StreamError};

use crate::scope::Differs;

mod bindings {
    #![allow(missing_docs, unsafe_code, unreachable_pub, clippy::all, reason = "generated code")]
    wit_bindgen::generate!({ path: "../../../wit/blobstore-draft", world: "imports", generate_all });
}

/// The maximum size of one blocking write, in bytes.
const WRITE: usize = 4096;

/// Returns the container, cleared.
pub(crate) fn empty() -> Result<Container, Differs> {
    let container = get_container("default")?;
    container.clear()?;
    Ok(container)
}

/// Writes an object, and waits until it is stored.
pub(crate) fn put(container: &Container, name: &str, bytes: &[u8]) -> Result<(), Differs> {
    let value = OutgoingValue::new_outgoing_value();
    container.write_data(name, &value)?;
    write(&body(&value)?, bytes)?;
    Ok(OutgoingValue::finish(value)?)
}

/// Returns the stream of a value.
pub(crate) fn body(value: &OutgoingValue) -> Result<OutputStream, Differs> {
    value.outgoing_value_write_body().map_err(|()| Differs::new("the value gives no stream"))
}

pub(crate) fn write(to: &OutputStream, bytes: &[u8]) -> Result<(), Differs> {
    bytes.chunks(WRITE).try_for_each(|piece| Ok(to.blocking_write_and_flush(piece)?))
}

/// Returns the bytes of an object.
pub(crate) fn read(container: &Container, name: &str) -> Result<Vec<u8>, Differs> {
    part(container, name, 0, u64::MAX)
}

/// Returns the bytes `start..=end` of an object.
pub(crate) fn part(container: &Container, name: &str, start: u64, end: u64) -> Result<Vec<u8>, Differs> {
    let value = container.get_data(name, start, end)?;
    Ok(IncomingValue::incoming_value_consume_sync(value)?)
}

/// Returns all names, in list order.
pub(crate) fn list(container: &Container) -> Result<Vec<String>, Differs> {
    let names = container.list_objects()?;
    let mut all = Vec::new();
    loop {
        let (page, ended) = names.read_stream_object_names(1000)?;
        all.extend(page);
        if ended {
            return Ok(all);
        }
    }
}

pub(crate) fn id(name: &str) -> ObjectId {
    ObjectId { container: "default".to_owned(), object: name.to_owned() }
}
