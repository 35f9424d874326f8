//! What the two drafts of `wasi:keyvalue` share: the words of the store, of batches and of errors. Each has a file of its
//! own for what it has alone: cursors, and numbers with what goes with them.

use wasmtime::component::Resource;

use crate::batch::Pair;
use crate::bindings;
use crate::failure::Failure;
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
                async fn open(&mut self, identifier: String) -> Result<Resource<Bucket>, Failure> {
                    KeyValueView::open(self, &identifier)
                }

                fn convert_error(&mut self, failure: Failure) -> wasmtime::Result<store::Error> {
                    failure.into_error().map(Into::into)
                }
            }

            impl store::HostBucket for KeyValueView<'_> {
                async fn get(&mut self, bucket: Resource<Bucket>, key: String) -> Result<Option<Vec<u8>>, Failure> {
                    Ok(self.bucket(&bucket)?.get(&key).await?)
                }

                async fn set(&mut self, bucket: Resource<Bucket>, key: String, value: Vec<u8>) -> Result<(), Failure> {
                    Ok(self.bucket(&bucket)?.set(&key, value).await?)
                }

                async fn delete(&mut self, bucket: Resource<Bucket>, key: String) -> Result<(), Failure> {
                    Ok(self.bucket(&bucket)?.delete(&key).await?)
                }

                async fn exists(&mut self, bucket: Resource<Bucket>, key: String) -> Result<bool, Failure> {
                    Ok(self.bucket(&bucket)?.exists(&key).await?)
                }

                async fn list_keys(
                    &mut self,
                    bucket: Resource<Bucket>,
                    cursor: Option<$cursor>,
                ) -> Result<store::KeyResponse, Failure> {
                    let (keys, cursor) = $page(self, &bucket, cursor).await?;
                    Ok(store::KeyResponse { keys, cursor })
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
                ) -> Result<Vec<Option<Pair>>, Failure> {
                    Ok(self.bucket(&bucket)?.get_many(keys).await?)
                }

                async fn set_many(&mut self, bucket: Resource<Bucket>, pairs: Vec<Pair>) -> Result<(), Failure> {
                    Ok(self.bucket(&bucket)?.set_many(pairs).await?)
                }

                async fn delete_many(&mut self, bucket: Resource<Bucket>, keys: Vec<String>) -> Result<(), Failure> {
                    Ok(self.bucket(&bucket)?.delete_many(keys).await?)
                }
            }
        };
    )* };
}

implement! {
    draft { cursor: u64, page: crate::draft::page }
    draft2 { cursor: String, page: crate::draft2::page }
}
