//! Selects and opens brokers for the tool.

use std::sync::Arc;

use tempo_backend::{BackendContext, BackendScheme as _, BackendSchemes};
use tempo_messaging::MESSAGING;
use tempo_settings::{BackendUrl, DEFAULT_NAME, Error, ErrorKind, NamedUrl, Settings};

use crate::backends::default_url;
use crate::{Broker, File, Memory, Operator};

/// A configured broker.
#[derive(Clone)]
pub(super) struct Choice<'a> {
    /// Its name and URL.
    pub(super) named: NamedUrl,
    /// The settings that configure it.
    pub(super) settings: &'a Settings,
    /// The components of the app that use it; empty without an app.
    pub(super) components: Vec<&'a str>,
}

impl Choice<'_> {
    /// Returns its name, with the components of the app that use it.
    pub(super) fn label(&self) -> String {
        label(&self.named.name, &self.components)
    }
}

/// A broker with storage.
pub(super) struct PersistentBroker {
    /// Its configured name.
    pub(super) name: String,
    /// The components of the app that use it; empty without an app.
    pub(super) components: Vec<String>,
    url: BackendUrl,
    broker: Arc<dyn Broker>,
}

impl PersistentBroker {
    pub(super) fn new(choice: &Choice<'_>, broker: Arc<dyn Broker>) -> Self {
        let components = choice.components.iter().map(|name| (*name).to_owned()).collect();
        Self { name: choice.named.name.clone(), components, url: choice.named.url.clone(), broker }
    }

    /// Returns its name, with the components of the app that use it.
    pub(super) fn label(&self) -> String {
        label(&self.name, &self.components)
    }

    /// Returns its operator interface.
    pub(super) fn operator(&self) -> Result<&dyn Operator, Error> {
        self.broker.operator().ok_or_else(|| Error::new(ErrorKind::BadConfiguration, not_persistent(&self.url)))
    }

    /// Adds the URL and the exit code to an error of this broker.
    pub(super) fn explain(&self, error: &crate::Error) -> anyhow::Error {
        use crate::ErrorKind as Kind;
        let message = format!("{}: {}", self.url, error.message());
        let kind = match error.kind() {
            Kind::InvalidArgument => ErrorKind::NotFound,
            Kind::Timeout | Kind::Unavailable | Kind::NoResponders | Kind::QuotaExceeded => ErrorKind::Unavailable,
            Kind::AccessDenied => ErrorKind::Refused,
            _ => return anyhow::anyhow!(message),
        };
        Error::new(kind, message).into()
    }
}

fn label<S: AsRef<str>>(name: &str, components: &[S]) -> String {
    let components: Vec<&str> = components.iter().map(AsRef::as_ref).collect();
    if components.is_empty() { name.to_owned() } else { format!("{name} of {}", components.join(", ")) }
}

/// Returns all configured brokers, or the default one.
pub(super) fn all(settings: &Settings) -> Result<Vec<Choice<'_>>, Error> {
    let mut named = settings.all::<NamedUrl>(&MESSAGING)?;
    if named.is_empty() {
        named.push(NamedUrl::new(DEFAULT_NAME, default_url(settings)?));
    }
    named.sort_by(|one, other| one.name.cmp(&other.name));
    if named.windows(2).any(|pair| matches!(pair, [one, other] if one.name == other.name)) {
        return Err(settings.invalid(&MESSAGING, "a name is given twice"));
    }
    Ok(named.into_iter().map(|named| Choice { named, settings, components: Vec::new() }).collect())
}

/// Returns the brokers of the name `wanted`.
///
/// # Errors
///
/// There is none.
pub(super) fn named<'a>(wanted: &str, choices: &[Choice<'a>]) -> Result<Vec<Choice<'a>>, Error> {
    let found: Vec<_> = choices.iter().filter(|choice| choice.named.name == wanted).cloned().collect();
    if found.is_empty() {
        let message = format!("--broker: no broker has that name; there are: {}", labels(choices));
        return Err(Error::new(ErrorKind::Usage, message));
    }
    Ok(found)
}

/// Returns the broker `wanted`; without a name the only one, or `default`.
///
/// # Errors
///
/// There is none, or there are several.
pub(super) fn one<'a>(wanted: Option<&str>, choices: &[Choice<'a>]) -> Result<Choice<'a>, Error> {
    if let ([only], None) = (choices, wanted) {
        return Ok(only.clone());
    }
    let found = match wanted {
        Some(wanted) => named(wanted, choices)?,
        None => choices.iter().filter(|choice| choice.named.name == DEFAULT_NAME).cloned().collect(),
    };
    let message = match &found[..] {
        [one] => return Ok(one.clone()),
        [] => format!("which broker? Name it with --broker NAME; there are: {}", labels(choices)),
        _ => format!("which broker? Name a component with --component NAME; there are: {}", labels(&found)),
    };
    Err(Error::new(ErrorKind::Usage, message))
}

fn labels(choices: &[Choice<'_>]) -> String {
    let labels: Vec<String> = choices.iter().map(Choice::label).collect();
    let separator = if choices.iter().any(|choice| !choice.components.is_empty()) { "; " } else { ", " };
    labels.join(separator)
}

/// Opens a broker with storage.
///
/// # Errors
///
/// The broker has no storage, its file does not exist yet, or it cannot be opened.
pub(super) async fn open<S: BackendSchemes<dyn Broker>>(chosen: &Choice<'_>) -> anyhow::Result<PersistentBroker> {
    match try_open::<S>(chosen).await? {
        Some(broker) => Ok(PersistentBroker::new(chosen, broker)),
        None => Err(chosen.settings.invalid(&MESSAGING, &not_persistent(&chosen.named.url)).into()),
    }
}

/// Like [`open`]; `None` if it stores no messages that other processes can read.
pub(super) async fn try_open<S: BackendSchemes<dyn Broker>>(
    chosen: &Choice<'_>,
) -> anyhow::Result<Option<Arc<dyn Broker>>> {
    let (url, settings) = (&chosen.named.url, chosen.settings);
    if Memory::NAMES.contains(&url.scheme()) {
        return Ok(None);
    }
    if File::NAMES.contains(&url.scheme()) {
        exists(url).await?;
    }
    let context = BackendContext::new(settings);
    let broker = S::open(url, context).await.unwrap_or_else(|| {
        let known = S::names().iter().map(|name| format!("{name}:")).collect::<Vec<_>>().join(", ");
        let problem = format!("this runtime has no backend for {}:; it has {known}", url.scheme());
        Err(settings.invalid(&MESSAGING, &problem))
    })?;
    Ok(broker.operator().is_some().then_some(broker))
}

/// Checks that a database file exists, as opening would create it.
pub(super) async fn exists(url: &BackendUrl) -> anyhow::Result<()> {
    // Opening refuses a URL without a path.
    let Some(path) = url.path() else { return Ok(()) };
    let shown = path.display().to_string();
    if tokio::task::spawn_blocking(move || path.exists()).await? {
        return Ok(());
    }
    let message = format!("{shown} is not there: it has no messages yet; name another file with --messaging");
    Err(Error::new(ErrorKind::NotFound, message).into())
}

fn not_persistent(url: &BackendUrl) -> String {
    if Memory::NAMES.contains(&url.scheme()) {
        return format!("{url} is in the memory of another process");
    }
    format!("{url} stores no messages and no dead letters; name a stream, as in nats://HOST/STREAM")
}
