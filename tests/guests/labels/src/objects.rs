//! The containers.

use crate::Outcome;
use crate::bindings::archive::{self, PutOptions};
use crate::bindings::wasi::blobstore::types::{IncomingValue, ObjectId, OutgoingValue};
use crate::bindings::{photos, wit_future, wit_stream};

pub(crate) fn get_photo(name: &str) -> Outcome<Option<Vec<u8>>> {
    let container = photos::get_container("any")?;
    if !container.has_object(name)? {
        return Ok(None);
    }
    IncomingValue::incoming_value_consume_sync(container.get_data(name, 0, u64::MAX)?).map(Some)
}

pub(crate) fn put_photo(name: &str, data: &[u8]) -> Outcome<()> {
    let container = photos::create_container("any")?;
    let value = OutgoingValue::new_outgoing_value();
    let body = value.outgoing_value_write_body().map_err(|()| "no body".to_owned())?;
    container.write_data(name, &value)?;
    body.blocking_write_and_flush(data).map_err(|error| format!("{error:?}"))?;
    drop(body);
    OutgoingValue::finish(value)?;
    let id = |object: &str| ObjectId { container: "any".to_owned(), object: object.to_owned() };
    photos::copy_object(&id(name), &id("copy"))?;
    photos::move_object(&id("copy"), &id(name))?;
    if photos::container_exists("other")? { Ok(()) } else { Err("the container does not exist".to_owned()) }
}

/// Deletes all objects.
pub(crate) fn delete_photos() -> Outcome<()> {
    photos::delete_container("any")
}

pub(crate) async fn get_archived(name: &str) -> Outcome<Option<Vec<u8>>> {
    let failed = |error: archive::Error| error.message;
    let container = archive::Container::open("any".to_owned()).await.map_err(failed)?;
    if container.stat(name.to_owned()).await.map_err(failed)?.is_none() {
        return Ok(None);
    }
    let (_, data, end) = container.get(name.to_owned(), None).await.map_err(failed)?;
    let data = data.collect().await;
    end.await.map_err(failed)?;
    Ok(Some(data))
}

pub(crate) async fn put_archived(name: &str, data: Vec<u8>) -> Outcome<()> {
    let failed = |error: archive::Error| error.message;
    let container = archive::Container::open("any".to_owned()).await.map_err(failed)?;
    let (mut writer, stream) = wit_stream::new();
    let (complete, completed) = wit_future::new(|| Err(()));
    wit_bindgen::spawn_local(async move {
        writer.write_all(data).await;
        drop(writer);
        // The host may have refused the object.
        let _ = complete.write(Ok(())).await;
    });
    let options = PutOptions { if_absent: false, content_type: None, metadata: Vec::new() };
    container.put(name.to_owned(), stream, completed, options).await.map(drop).map_err(failed)
}
