//! The URL schemes `s3:`, `gs:` and `az:`.
//!
//! Credentials and endpoints come from the environment variables of each cloud's own tools and from options of the URL,
//! which take precedence: `s3://bucket/prefix?endpoint=http://127.0.0.1:9000&allow_http=true`. The names of options are
//! those of the crate `object_store`. Options are never printed.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures::StreamExt as _;
use object_store::path::Path;
use object_store::{Error as Cause, ObjectStore as Store, RetryConfig};
use tempo_backend::{BackendContext, BackendScheme};
use tempo_settings::{BackendUrl, Error, ErrorKind, Settings};

#[cfg(feature = "aws")]
use super::create::Creator;
use super::http::Connector;
use super::{ObjectStore, Traits, cause, is_denied, status};
use crate::Container;

/// A parsed URL.
struct Address {
    bucket: String,
    prefix: String,
    options: Vec<(String, String)>,
}

impl Address {
    fn of(url: &BackendUrl) -> Option<Self> {
        let rest = url.reveal().strip_prefix("//")?;
        let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (bucket, prefix) = path.split_once('/').unwrap_or((path, ""));
        let usable = !bucket.is_empty() && !bucket.contains(['@', ':']);
        usable.then(|| Self {
            bucket: bucket.to_owned(),
            prefix: prefix.trim_end_matches('/').to_owned(),
            options: form_urlencoded::parse(query.as_bytes()).into_owned().collect(),
        })
    }
}

fn retries() -> RetryConfig {
    RetryConfig { max_retries: 3, retry_timeout: Duration::from_secs(20), ..RetryConfig::default() }
}

fn bad(url: &BackendUrl, problem: &str) -> Error {
    Error::new(ErrorKind::BadConfiguration, format!("{url}: {problem}"))
}

fn address(url: &BackendUrl) -> Result<Address, Error> {
    let expected = || format!("expected {}://BUCKET[/PREFIX][?OPTION=VALUE&...]", url.scheme());
    Address::of(url).ok_or_else(|| bad(url, &expected()))
}

/// Returns the bucket and the prefix of a URL.
#[cfg(feature = "fuzzing")]
pub(crate) fn bucket(url: &BackendUrl) -> Result<(String, String), Error> {
    address(url).map(|address| (address.bucket, address.prefix))
}

/// Parses the options of `address` as `K`, and passes them to the builder.
fn configure<B, K: std::str::FromStr>(
    url: &BackendUrl,
    address: &Address,
    builder: B,
    with_config: impl Fn(B, K, String) -> B,
) -> Result<B, Error> {
    address
        .options
        .iter()
        .try_fold(builder, |builder, (name, value)| Ok(with_config(builder, key(url, name)?, value.clone())))
}

fn key<K: std::str::FromStr>(url: &BackendUrl, name: &str) -> Result<K, Error> {
    // The name may be a misplaced secret: do not print it.
    name.parse().map_err(|_| bad(url, "an option of the URL is unknown"))
}

/// Checks the form of the URL and the names of its options, which are `K`.
fn check<K: std::str::FromStr>(url: &BackendUrl) -> Result<(), Error> {
    address(url)?.options.iter().try_for_each(|(name, _)| key::<K>(url, name).map(drop))
}

/// Opens the store and contacts the server, so that a configuration error is reported at start.
async fn open(
    url: &BackendUrl,
    store: Arc<dyn Store>,
    prefix: &str,
    traits: Traits,
) -> tempo_settings::Result<Arc<dyn Container>> {
    let container = ObjectStore::new(store.clone(), prefix).map_err(|error| bad(url, &error.to_string()))?;
    let root = Path::parse(prefix).ok().filter(|prefix| !prefix.is_root());
    match store.list(root.as_ref()).next().await {
        None | Some(Ok(_)) => Ok(Arc::new(ObjectStore { traits, ..container })),
        Some(Err(error)) => {
            let missing = matches!(error, Cause::NotFound { .. }) || status(&error) == Some(404);
            let problem = if missing {
                "there is no such bucket; create it, or change --blobstore".to_owned()
            } else if is_denied(&error) {
                "the server refuses the credentials; check the environment and the options of the URL".to_owned()
            } else {
                format!("the server cannot be used: {}; check --blobstore", cause(&error))
            };
            Err(Error::new(ErrorKind::Unavailable, format!("{url}: {problem}")))
        }
    }
}

#[cfg(any(feature = "aws", feature = "azure", feature = "gcp"))]
fn unusable(url: &BackendUrl, error: &Cause) -> Error {
    bad(url, &format!("the options and the environment do not make a configuration: {}", cause(error)))
}

/// `s3://BUCKET[/PREFIX]`: Amazon S3 and compatible servers.
#[cfg(feature = "aws")]
#[derive(Clone, Copy, Debug)]
pub struct S3;

#[cfg(feature = "aws")]
#[async_trait]
impl BackendScheme<dyn Container> for S3 {
    const NAMES: &'static [&'static str] = &["s3"];

    fn check(url: &BackendUrl, _: &Settings) -> tempo_settings::Result<()> {
        check::<object_store::aws::AmazonS3ConfigKey>(url)
    }

    async fn open(url: &BackendUrl, _: BackendContext<'_>) -> tempo_settings::Result<Arc<dyn Container>> {
        use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey};
        let address = address(url)?;
        let client = |connector: Connector| {
            let builder = AmazonS3Builder::from_env()
                .with_bucket_name(&address.bucket)
                .with_http_connector(connector)
                .with_retry(retries());
            configure::<_, AmazonS3ConfigKey>(url, &address, builder, AmazonS3Builder::with_config)
        };
        let unusable = |error| unusable(url, &error);
        let store = Arc::new(client(Connector::default())?.build().map_err(unusable)?);
        let completion = client(Connector { only_new: true })?.with_credentials(store.credentials().clone());
        let completion = Arc::new(completion.build().map_err(unusable)?);
        // S3 Express does not sort listings.
        let ordered = !address.bucket.ends_with("--x-s3");
        let creator = Creator { parts: store.clone(), completion };
        open(url, store, &address.prefix, Traits { ordered, creator: Some(creator) }).await
    }
}

/// `gs://BUCKET[/PREFIX]`: Google Cloud Storage.
#[cfg(feature = "gcp")]
#[derive(Clone, Copy, Debug)]
pub struct GoogleCloud;

#[cfg(feature = "gcp")]
#[async_trait]
impl BackendScheme<dyn Container> for GoogleCloud {
    const NAMES: &'static [&'static str] = &["gs"];

    fn check(url: &BackendUrl, _: &Settings) -> tempo_settings::Result<()> {
        check::<object_store::gcp::GoogleConfigKey>(url)
    }

    async fn open(url: &BackendUrl, _: BackendContext<'_>) -> tempo_settings::Result<Arc<dyn Container>> {
        use object_store::gcp::{GoogleCloudStorageBuilder as Builder, GoogleConfigKey};
        let address = address(url)?;
        let builder = Builder::from_env()
            .with_bucket_name(&address.bucket)
            .with_http_connector(Connector::default())
            .with_retry(retries());
        let builder = configure::<_, GoogleConfigKey>(url, &address, builder, Builder::with_config)?;
        let store = builder.build().map_err(|error| unusable(url, &error))?;
        open(url, Arc::new(store), &address.prefix, Traits { ordered: true, creator: None }).await
    }
}

/// `az://CONTAINER[/PREFIX]`: Azure Blob Storage. The account comes from the environment or the option `account_name`.
#[cfg(feature = "azure")]
#[derive(Clone, Copy, Debug)]
pub struct Azure;

#[cfg(feature = "azure")]
#[async_trait]
impl BackendScheme<dyn Container> for Azure {
    const NAMES: &'static [&'static str] = &["az"];

    fn check(url: &BackendUrl, _: &Settings) -> tempo_settings::Result<()> {
        check::<object_store::azure::AzureConfigKey>(url)
    }

    async fn open(url: &BackendUrl, _: BackendContext<'_>) -> tempo_settings::Result<Arc<dyn Container>> {
        use object_store::azure::{AzureConfigKey, MicrosoftAzureBuilder as Builder};
        let address = address(url)?;
        let builder = Builder::from_env()
            .with_container_name(&address.bucket)
            .with_http_connector(Connector::default())
            .with_retry(retries());
        let builder = configure::<_, AzureConfigKey>(url, &address, builder, Builder::with_config)?;
        let store = builder.build().map_err(|error| unusable(url, &error))?;
        open(url, Arc::new(store), &address.prefix, Traits { ordered: false, creator: None }).await
    }
}

#[cfg(test)]
mod tests {
    use tempo_settings::FlagValue as _;

    use super::*;

    fn parts(text: &str) -> Option<(String, String, usize)> {
        let address = Address::of(&BackendUrl::parse(text).unwrap())?;
        Some((address.bucket, address.prefix, address.options.len()))
    }

    #[test]
    fn addresses() {
        let expect = |bucket: &str, prefix: &str, options| Some((bucket.to_owned(), prefix.to_owned(), options));
        assert_eq!(parts("s3://bucket"), expect("bucket", "", 0));
        assert_eq!(parts("s3://bucket/"), expect("bucket", "", 0));
        assert_eq!(parts("s3://bucket/a/b/?region=eu&allow_http=true"), expect("bucket", "a/b", 2));
        assert_eq!(parts("s3://bucket?region=eu"), expect("bucket", "", 1));
        for bad in ["s3:bucket", "s3://", "s3:///a", "s3://key:secret@bucket"] {
            assert_eq!(parts(bad), None, "{bad}");
        }
    }
}
