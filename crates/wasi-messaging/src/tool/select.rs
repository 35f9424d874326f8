//! Selects and opens brokers for the tool.

use std::sync::Arc;

use tempo_backend::{BackendContext, BackendScheme as _, BackendSchemes};
use tempo_messaging::MESSAGING;
use tempo_settings::{BackendUrl, DEFAULT_NAME, Error, ErrorKind, NamedUrl, Settings};

use crate::backends::default_url;
use crate::{Broker, File, Memory, Operator};

/// A broker with storage.
pub(super) struct PersistentBroker {
    /// Its configured name.
    pub(super) name: String,
    url: BackendUrl,
    broker: Arc<dyn Broker>,
}

impl PersistentBroker {
    pub(super) fn new(named: NamedUrl, broker: Arc<dyn Broker>) -> Self {
        Self { name: named.name, url: named.url, broker }
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

/// Returns all configured brokers, or the default one.
pub(super) fn all(settings: &Settings) -> Result<Vec<NamedUrl>, Error> {
    let mut named = settings.all::<NamedUrl>(&MESSAGING)?;
    if named.is_empty() {
        named.push(NamedUrl::new(DEFAULT_NAME, default_url(settings)?));
    }
    named.sort_by(|one, other| one.name.cmp(&other.name));
    if named.windows(2).any(|pair| matches!(pair, [one, other] if one.name == other.name)) {
        return Err(settings.invalid(&MESSAGING, "a name is given twice"));
    }
    Ok(named)
}

/// Returns the broker `wanted`; without a name the only one, or `default`.
pub(super) fn one(wanted: Option<&str>, settings: &Settings) -> Result<NamedUrl, Error> {
    let named = all(settings)?;
    if let ([only], None) = (named.as_slice(), wanted) {
        return Ok(only.clone());
    }
    let name = wanted.unwrap_or(DEFAULT_NAME);
    named.iter().find(|named| named.name == name).cloned().ok_or_else(|| {
        let names = named.iter().map(|named| named.name.as_str()).collect::<Vec<_>>().join(", ");
        let message = match wanted {
            Some(_) => format!("--broker: no broker has that name; there are: {names}"),
            None => format!("which broker? Name it with --broker NAME; there are: {names}"),
        };
        Error::new(ErrorKind::Usage, message)
    })
}

/// Opens a broker with storage.
///
/// # Errors
///
/// The broker has no storage, its file does not exist yet, or it cannot be opened.
pub(super) async fn open<S: BackendSchemes<dyn Broker>>(
    chosen: &NamedUrl,
    settings: &Settings,
) -> anyhow::Result<PersistentBroker> {
    match try_open::<S>(chosen, settings).await? {
        Some(broker) => Ok(PersistentBroker::new(chosen.clone(), broker)),
        None => Err(settings.invalid(&MESSAGING, &not_persistent(&chosen.url)).into()),
    }
}

/// Like [`open`]; `None` if it stores no messages that other processes can read.
pub(super) async fn try_open<S: BackendSchemes<dyn Broker>>(
    chosen: &NamedUrl,
    settings: &Settings,
) -> anyhow::Result<Option<Arc<dyn Broker>>> {
    let url = &chosen.url;
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
async fn exists(url: &BackendUrl) -> anyhow::Result<()> {
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
