//! The functions that both drafts of `wasi:keyvalue@0.2.0` have: stores, batches and errors. Cursors and atomics differ, and
//! are in a file for each draft.

use wasmtime::component::Resource;

use crate::batch::Pair;
use crate::bindings;
use crate::{Bucket, Error, ErrorKind, KeyValueView};

macro_rules! implement {
    ($($draft:ident { cursor: $cursor:ty, page: $page:path })*) => { $(
        const _: () = {
            use bindings::$draft::wasi::keyvalue::{batch, store};

            impl From<Error> for store::Error {
                fn from(error: Error) -> Self {
                    match error.kind() {
                        ErrorKind::NoSuchStore => Self::NoSuchStore,
                        ErrorKind::AccessDenied => Self::AccessDenied,
                        _ => Self::Other(error.to_string()),
                    }
                }
            }

            impl store::Host for KeyValueView<'_> {
                async fn open(&mut self, identifier: String) -> wasmtime::Result<Result<Resource<Bucket>, store::Error>> {
                    Ok(KeyValueView::open(self, &identifier)?.map_err(Into::into))
                }
            }

            impl store::HostBucket for KeyValueView<'_> {
                async fn get(&mut self, bucket: Resource<Bucket>, key: String) -> wasmtime::Result<Result<Option<Vec<u8>>, store::Error>> {
                    Ok(self.bucket(&bucket)?.get(&key).await.map_err(Into::into))
                }

                async fn set(&mut self, bucket: Resource<Bucket>, key: String, value: Vec<u8>) -> wasmtime::Result<Result<(), store::Error>> {
                    Ok(self.bucket(&bucket)?.set(&key, value).await.map_err(Into::into))
                }

                async fn delete(&mut self, bucket: Resource<Bucket>, key: String) -> wasmtime::Result<Result<(), store::Error>> {
                    Ok(self.bucket(&bucket)?.delete(&key).await.map_err(Into::into))
                }

                async fn exists(&mut self, bucket: Resource<Bucket>, key: String) -> wasmtime::Result<Result<bool, store::Error>> {
                    Ok(self.bucket(&bucket)?.exists(&key).await.map_err(Into::into))
                }

                async fn list_keys(
                    &mut self,
                    bucket: Resource<Bucket>,
                    cursor: Option<$cursor>,
                ) -> wasmtime::Result<Result<store::KeyResponse, store::Error>> {
                    let page = $page(self, &bucket, cursor).await?;
                    Ok(page.map(|(keys, cursor)| store::KeyResponse { keys, cursor }).map_err(Into::into))
                }

                async fn drop(&mut self, bucket: Resource<Bucket>) -> wasmtime::Result<()> {
                    self.drop_bucket(bucket)
                }
            }

            impl batch::Host for KeyValueView<'_> {
                async fn get_many(
                    &mut self,
                    bucket: Resource<Bucket>,
                    keys: Vec<String>,
                ) -> wasmtime::Result<Result<Vec<Option<Pair>>, store::Error>> {
                    Ok(self.bucket(&bucket)?.get_many(keys).await.map_err(Into::into))
                }

                async fn set_many(&mut self, bucket: Resource<Bucket>, pairs: Vec<Pair>) -> wasmtime::Result<Result<(), store::Error>> {
                    Ok(self.bucket(&bucket)?.set_many(pairs).await.map_err(Into::into))
                }

                async fn delete_many(&mut self, bucket: Resource<Bucket>, keys: Vec<String>) -> wasmtime::Result<Result<(), store::Error>> {
                    Ok(self.bucket(&bucket)?.delete_many(keys).await.map_err(Into::into))
                }
            }
        };
    )* };
}

implement! {
    wasi_v0_2_draft { cursor: u64, page: crate::wasi_v0_2_draft::page }
    wasi_v0_2_draft2 { cursor: String, page: crate::wasi_v0_2_draft2::page }
}
