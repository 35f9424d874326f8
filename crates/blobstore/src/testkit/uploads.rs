//! Uploads: an object is seen once it is complete, and the first of several wins.

use std::sync::Arc;

use anyhow::{Result, ensure};
use bytes::Bytes;
use futures::future::join_all;

use super::{put, read};
use crate::{Container, ErrorKind, PutOptions};

pub(super) async fn dropped_uploads_leave_nothing(container: &Arc<dyn Container>) -> Result<()> {
    for size in [0, 10, 6 << 20] {
        let mut upload = container.put("n", PutOptions::default()).await?;
        upload.write(vec![1; size].into()).await?;
        drop(upload);
        ensure!(container.stat("n").await?.is_none(), "an upload that was dropped left an object");
    }
    let kept = put(container, "n", b"kept", PutOptions::default()).await?;
    let mut upload = container.put("n", PutOptions::default()).await?;
    upload.write(Bytes::from_static(b"lost")).await?;
    drop(upload);
    ensure!(container.stat("n").await? == Some(kept), "an upload that was dropped changed an object");
    ensure!(read(container, "n", None).await?.1 == b"kept", "an upload that was dropped changed bytes");
    container.delete("n").await?;
    Ok(())
}

pub(super) async fn one_of_many_uploads_is_first(container: &Arc<dyn Container>) -> Result<()> {
    let absent = || PutOptions { if_absent: true, ..PutOptions::default() };
    put(container, "n", b"first", absent()).await?;
    let second = put(container, "n", b"second", absent()).await;
    let refused = second.err().and_then(|error| error.downcast_ref().map(crate::Error::kind));
    ensure!(refused == Some(ErrorKind::AlreadyExists), "a second object was written");
    ensure!(read(container, "n", None).await?.1 == b"first", "a refused upload changed an object");
    container.delete("n").await?;

    // All begin while there is no object; one of them wins.
    for size in [10, 6 << 20] {
        let mut uploads = Vec::new();
        for writer in 0..8u8 {
            let mut upload = container.put("n", absent()).await?;
            upload.write(vec![writer; size].into()).await?;
            uploads.push(upload);
        }
        let results = join_all(uploads.into_iter().map(|upload| upload.complete())).await;
        let winners: Vec<usize> = (0..).zip(&results).filter(|(_, result)| result.is_ok()).map(|(at, _)| at).collect();
        ensure!(winners.len() == 1, "{} of 8 uploads were the first", winners.len());
        let lost = results.into_iter().filter_map(Result::err).all(|error| error.kind() == ErrorKind::AlreadyExists);
        ensure!(lost, "an upload lost for another reason");
        let (_, data) = read(container, "n", None).await?;
        let whole = data.len() == size && data.iter().all(|byte| winners.contains(&usize::from(*byte)));
        ensure!(whole, "the object is not that of the winner");
        container.delete("n").await?;
    }
    Ok(())
}
