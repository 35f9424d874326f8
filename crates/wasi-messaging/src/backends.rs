//! [`MessagingBackends`]: opens the brokers named by `--messaging`, with the URL schemes compiled in.

use std::fmt;
use std::marker::PhantomData;
use std::path::PathBuf;

use tempo_backend::{BackendSchemes, Backends, DATA};
use tempo_core::{Backend, BootContext, StoreContext};
use tempo_messaging::MESSAGING;
use tempo_settings::{BackendUrl, DEFAULT_NAME, Error, Flag, Settings};

use crate::allowed::{ALLOW_TOPIC, AllowedTopics};
use crate::limits::MAX_MESSAGE;
use crate::telemetry::instrument;
use crate::{Broker, MessagingCtx, MessagingLimits, WasiMessaging};

/// Default database file, below `--data`.
const DEFAULT_FILE: &str = "messaging.redb";

/// The backend of [`WasiMessaging`]: opens every broker that `--messaging` names, with the schemes `S`. Without the
/// flag, `default` is a file below `--data`.
pub struct MessagingBackends<S> {
    state: MessagingCtx,
    schemes: PhantomData<fn() -> S>,
}

impl<S> fmt::Debug for MessagingBackends<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MessagingBackends").finish_non_exhaustive()
    }
}

impl<S: BackendSchemes<dyn Broker>> Backend<WasiMessaging> for MessagingBackends<S> {
    fn flags() -> Vec<Flag> {
        [vec![MESSAGING, ALLOW_TOPIC, DATA, MAX_MESSAGE], S::flags()].concat()
    }

    fn check(boot: BootContext<'_>) -> Vec<Error> {
        let settings = boot.settings;
        let fallback = (boot.is_used && !settings.is_set(&MESSAGING)).then(|| default_url(settings).err());
        let mistakes =
            fallback.flatten().into_iter().chain(Backends::check::<S>(&MESSAGING, boot.backend(), boot.is_used));
        // Another component may have the brokers.
        let topics = boot.is_used.then(|| AllowedTopics::mistakes(settings, |name| is_broker(settings, name)));
        mistakes.chain(topics.into_iter().flatten()).collect()
    }

    async fn connect(boot: BootContext<'_>) -> tempo_settings::Result<Self> {
        let limits = MessagingLimits::from_settings(boot.settings, boot.limits)?;
        let brokers =
            Backends::open_as::<S>(&MESSAGING, default_url(boot.settings)?, boot.backend(), |system, name, broker| {
                instrument(boot.telemetry, system, name, broker)
            })
            .await?;
        let allowed = AllowedTopics::from_settings(boot.settings, |name| brokers.get(name).is_some())?;
        let state = MessagingCtx::new(brokers, boot.limits).with_limits(limits).with_allowed_topics(allowed);
        Ok(Self { state, schemes: PhantomData })
    }

    fn announcement(&self) -> Option<String> {
        let path = self.state.brokers().fallback()?.path()?;
        Some(format!("messaging: default is stored in {}", path.display()))
    }

    fn state(&self, store: &StoreContext) -> MessagingCtx {
        self.state.for_another_store(&store.bytes)
    }
}

/// Returns whether `settings` configure a broker called `name`.
pub(crate) fn is_broker(settings: &Settings, name: &str) -> bool {
    match settings.raw_values(&MESSAGING) {
        [] => name == DEFAULT_NAME,
        values => values.iter().any(|value| MESSAGING.form.name_of(&value.text) == name),
    }
}

/// URL of the default broker.
pub(crate) fn default_url(settings: &Settings) -> Result<BackendUrl, Error> {
    let path = settings.require::<PathBuf>(&DATA)?.join(DEFAULT_FILE);
    BackendUrl::of_file(&path)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tempo_backend::ByteBudget;
    use tempo_backend::{BackendContext, BackendScheme};
    use tempo_core::Limits;
    use tempo_settings::{Value, ValueSource};

    use async_trait::async_trait;

    use super::*;
    use crate::testing::Recorder;

    struct Recorded;

    #[async_trait]
    impl BackendScheme<dyn Broker> for Recorded {
        const NAMES: &'static [&'static str] = &["memory", "file"];

        async fn open(_: &BackendUrl, _: BackendContext<'_>) -> tempo_settings::Result<Arc<dyn Broker>> {
            Ok(Arc::new(Recorder::default()))
        }
    }

    type Brokers = MessagingBackends<(Recorded,)>;

    async fn connect(pairs: &[(&Flag, &str)]) -> tempo_settings::Result<Brokers> {
        let mut settings = Settings::default();
        for (flag, text) in pairs {
            settings.set(flag, vec![Value { text: (*text).to_owned(), source: ValueSource::CommandLine }]);
        }
        Brokers::connect(BootContext::new("test", &Limits::default(), &settings)).await
    }

    #[tokio::test]
    async fn without_configuration_messages_are_kept_below_the_data_directory() {
        let brokers = connect(&[(&DATA, "some/where")]).await.unwrap();
        assert_eq!(
            brokers.announcement().as_deref(),
            Some("messaging: default is stored in some/where/messaging.redb")
        );
        let (mut state, mut table) =
            (brokers.state(&StoreContext::new(ByteBudget::new(1000))), wasmtime::component::ResourceTable::new());
        let view = state.view(&mut table);
        assert!(view.broker("default").0.is_some());
        assert!(view.broker("").0.is_some(), "no name is the default");
        assert!(view.broker("other").0.is_none());
    }

    #[tokio::test]
    async fn with_configuration_nothing_else_is_opened() {
        let brokers = connect(&[(&MESSAGING, "billing=memory:")]).await.unwrap();
        assert_eq!(brokers.announcement(), None);
        assert!(brokers.state.brokers().get("billing").is_some());
        assert!(brokers.state.brokers().get("default").is_none());
    }

    #[tokio::test]
    async fn limits_come_from_flags() {
        let brokers = connect(&[(&MESSAGING, "memory:"), (&MAX_MESSAGE, "2KiB")]).await.unwrap();
        assert_eq!(brokers.state(&StoreContext::new(ByteBudget::new(1000))).limits().payload, 2048);
        let error = connect(&[(&MAX_MESSAGE, "many")]).await.err().unwrap();
        assert!(error.to_string().starts_with("--max-message-size: "), "{error}");
    }
}
