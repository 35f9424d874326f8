//! `messages list`: streams and their consumers.

use std::io::Write;

use tempo_backend::BackendSchemes;
use tempo_settings::Settings;

use super::select::{self, Kept};
use super::{json, text};
use crate::Broker;

/// Shows the broker called `wanted`, or all of them. One that keeps nothing is only an error if there is no other.
pub(super) async fn list<S: BackendSchemes<dyn Broker>>(
    wanted: Option<String>,
    settings: &Settings,
    as_json: bool,
    output: &mut (dyn Write + Send),
) -> anyhow::Result<()> {
    let brokers = match wanted {
        Some(_) => vec![select::one(wanted.as_deref(), settings)?],
        None => select::all(settings)?,
    };
    if let [only] = brokers.as_slice() {
        let kept = select::open::<S>(only, settings).await?;
        return show(&kept, as_json, output).await;
    }
    for named in brokers {
        match select::try_open::<S>(&named, settings).await? {
            Some(broker) => show(&Kept::new(named, broker), as_json, output).await?,
            None if as_json => writeln!(output, "{}", json::no_stream(&named.name)?)?,
            None => writeln!(output, "{}", text::no_stream(&named.name))?,
        }
    }
    Ok(())
}

async fn show(kept: &Kept, as_json: bool, output: &mut (dyn Write + Send)) -> anyhow::Result<()> {
    let stream = kept.operator()?.stream().await.map_err(|error| kept.explain(&error))?;
    if as_json {
        writeln!(output, "{}", json::stream(&kept.name, &stream)?)?;
    } else {
        write!(output, "{}", text::stream(&kept.name, &stream))?;
    }
    Ok(())
}
