//! `messages list`: streams and their consumers.

use std::io::Write;

use tempo_backend::BackendSchemes;
use tempo_settings::Settings;

use super::select::{self, PersistentBroker};
use super::{json, text};
use crate::Broker;

/// Lists the broker `wanted`, or all. A broker without storage is an error only if it is the only one.
pub(super) async fn list<S: BackendSchemes<dyn Broker>>(
    wanted: Option<&str>,
    settings: &Settings,
    as_json: bool,
    output: &mut (dyn Write + Send),
) -> anyhow::Result<()> {
    let brokers = match wanted {
        Some(_) => vec![select::one(wanted, settings)?],
        None => select::all(settings)?,
    };
    if let [only] = brokers.as_slice() {
        let broker = select::open::<S>(only, settings).await?;
        return show(&broker, as_json, output).await;
    }
    for named in brokers {
        match select::try_open::<S>(&named, settings).await? {
            Some(broker) => show(&PersistentBroker::new(named, broker), as_json, output).await?,
            None if as_json => writeln!(output, "{}", json::no_stream(&named.name)?)?,
            None => writeln!(output, "{}", text::no_stream(&named.name))?,
        }
    }
    Ok(())
}

async fn show(broker: &PersistentBroker, as_json: bool, output: &mut (dyn Write + Send)) -> anyhow::Result<()> {
    let stream = broker.operator()?.stream().await.map_err(|error| broker.explain(&error))?;
    if as_json {
        writeln!(output, "{}", json::stream(&broker.name, &stream)?)?;
    } else {
        write!(output, "{}", text::stream(&broker.name, &stream))?;
    }
    Ok(())
}
