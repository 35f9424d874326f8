//! `BackendScheme`: opens backends by the scheme of their URL.

use std::future::Future;
use std::sync::Arc;

use async_trait::async_trait;
use tempo_settings::{BackendUrl, Flag, Settings};

use crate::BackendContext;

/// Opens the stores whose URLs have one scheme. `B` is the trait of a service's stores: `dyn keyvalue::KeyValueStore`.
///
/// `open` returns a boxed future, so that the code of a backend is compiled in its crate, not in each program.
#[async_trait]
pub trait BackendScheme<B: ?Sized + Send + Sync + 'static>: Send + Sync + 'static {
    /// The schemes, in lower case and without the colon: `nats`.
    const NAMES: &'static [&'static str];

    /// Whether a backend exists in this process only, so that the components of an app share it by naming its URL. A backend
    /// elsewhere is the same one for all who open it.
    const IN_PROCESS: bool = false;

    /// The flags that this scheme reads, in addition to its URLs.
    fn flags() -> Vec<Flag> {
        Vec::new()
    }

    /// Checks `url` and the settings that the scheme reads, without opening or contacting anything.
    ///
    /// # Errors
    ///
    /// That of [`open`](Self::open), if no store and no server is needed to find it.
    fn check(_url: &BackendUrl, _settings: &Settings) -> tempo_settings::Result<()> {
        Ok(())
    }

    /// Opens the store at `url`, and connects to its server.
    ///
    /// # Errors
    ///
    /// The error names the URL without its secrets, the cause, and what to change.
    async fn open(url: &BackendUrl, context: BackendContext<'_>) -> tempo_settings::Result<Arc<B>>;
}

/// A tuple of [`BackendScheme`]s.
pub trait BackendSchemes<B: ?Sized>: Send + Sync + 'static {
    /// The names of all schemes.
    fn names() -> Vec<&'static str>;

    /// The flags of all schemes.
    fn flags() -> Vec<Flag>;

    /// Returns whether the backends of `scheme` exist in this process only.
    fn is_in_process(scheme: &str) -> bool;

    /// [Checks](BackendScheme::check) `url`, or returns `None` if its scheme is not in the tuple.
    fn check(url: &BackendUrl, settings: &Settings) -> Option<tempo_settings::Result<()>>;

    /// Opens the store at `url`, or returns `None` if its scheme is not in the tuple.
    fn open(
        url: &BackendUrl,
        context: BackendContext<'_>,
    ) -> impl Future<Output = Option<tempo_settings::Result<Arc<B>>>> + Send;
}

macro_rules! choice {
    ($($scheme:ident)+) => {
        impl<B: ?Sized + Send + Sync + 'static, $($scheme: BackendScheme<B>),+> BackendSchemes<B> for ($($scheme,)+) {
            fn names() -> Vec<&'static str> {
                [$($scheme::NAMES),+].concat()
            }

            fn flags() -> Vec<Flag> {
                [$($scheme::flags()),+].concat()
            }

            fn is_in_process(scheme: &str) -> bool {
                [$($scheme::IN_PROCESS && $scheme::NAMES.contains(&scheme)),+].contains(&true)
            }

            fn check(url: &BackendUrl, settings: &Settings) -> Option<tempo_settings::Result<()>> {
                $(
                    if $scheme::NAMES.contains(&url.scheme()) {
                        return Some($scheme::check(url, settings));
                    }
                )+
                None
            }

            async fn open(url: &BackendUrl, context: BackendContext<'_>) -> Option<tempo_settings::Result<Arc<B>>> {
                $(
                    if $scheme::NAMES.contains(&url.scheme()) {
                        return Some($scheme::open(url, context).await);
                    }
                )+
                None
            }
        }
    };
}

choice!(S1);
choice!(S1 S2);
choice!(S1 S2 S3);
choice!(S1 S2 S3 S4);
choice!(S1 S2 S3 S4 S5);
choice!(S1 S2 S3 S4 S5 S6);
