//! `messages list`: streams and their consumers.

use std::io::Write;

use tempo_backend::BackendSchemes;

use super::select::{self, Choice, PersistentBroker};
use super::{json, text};
use crate::Broker;

/// Lists the brokers of the name `wanted`, or all. A broker without storage is an error only if it is the only one.
pub(super) async fn list<S: BackendSchemes<dyn Broker>>(
    wanted: Option<&str>,
    choices: Vec<Choice<'_>>,
    as_json: bool,
    output: &mut (dyn Write + Send),
) -> anyhow::Result<()> {
    let choices = match wanted {
        Some(wanted) => select::named(wanted, &choices)?,
        None => choices,
    };
    if let [only] = choices.as_slice() {
        let broker = select::open::<S>(only).await?;
        return show(&broker, as_json, output).await;
    }
    for choice in choices {
        match select::try_open::<S>(&choice).await? {
            Some(broker) => show(&PersistentBroker::new(&choice, broker), as_json, output).await?,
            None if as_json => writeln!(output, "{}", json::no_stream(&choice.named.name, &choice.components)?)?,
            None => writeln!(output, "{}", text::no_stream(&choice.label()))?,
        }
    }
    Ok(())
}

async fn show(broker: &PersistentBroker, as_json: bool, output: &mut (dyn Write + Send)) -> anyhow::Result<()> {
    let stream = broker.operator()?.stream().await.map_err(|error| broker.explain(&error))?;
    if as_json {
        writeln!(output, "{}", json::stream(&broker.name, &broker.components, &stream)?)?;
    } else {
        write!(output, "{}", text::stream(&broker.label(), &stream))?;
    }
    Ok(())
}
