//! `schema`: the JSON Schema of a settings file, which is also the manifest of an app, for editors that complete and check it.
//!
//! It is made from the flags of the runtime. It is of draft 7, the newest that editors support for TOML. It refuses what has a
//! wrong key or type; the program refuses more, such as routes that tie.

mod manifest;
mod value;

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};
use tempo_settings::Flag;

use crate::cli::FlagGroup;
use crate::registry::ToolEntry;
use crate::settings_file::can_be_in_file;

/// The version of JSON Schema.
const DRAFT: &str = "http://json-schema.org/draft-07/schema#";

/// Returns the schema of the settings files of `runtime`, which has these flags and tools.
pub(crate) fn schema(runtime: &str, groups: &[FlagGroup], tools: &[ToolEntry]) -> Value {
    let of_groups = groups.iter().flat_map(|group| &group.flags);
    let all = of_groups.chain(tools.iter().flat_map(|tool| &tool.flags)).filter(|flag| can_be_in_file(flag));
    // Several backends may list the same flag.
    let flags: BTreeMap<&str, &Flag> = all.map(|flag| (flag.name, flag)).collect();
    let properties = |is_included: &dyn Fn(&Flag) -> bool| -> Map<String, Value> {
        let included = flags.values().filter(|flag| is_included(flag));
        included.map(|flag| (flag.name.to_owned(), reference(&definition_name(flag)))).collect()
    };
    let mut definitions = value::definitions();
    definitions.extend(flags.values().map(|flag| (definition_name(flag), value::of_flag(flag))));
    definitions.insert("component".to_owned(), manifest::component(properties(&|flag| !flag.of_process)));
    let mut top = properties(&|_| true);
    top.extend(manifest::app());
    json!({
        "$schema": DRAFT,
        "title": format!("The settings of {runtime}, and the manifest of an app"),
        "description": format!("Every flag of `{runtime} run` is a key: at the top for all components, in a table [component.NAME] for one."),
        "type": "object",
        "properties": top,
        "additionalProperties": false,
        "dependencies": { "component": ["name"] },
        "definitions": definitions,
    })
}

fn definition_name(flag: &Flag) -> String {
    format!("flag-{}", flag.name)
}

/// Returns a reference to a definition.
fn reference(name: &str) -> Value {
    json!({ "$ref": format!("#/definitions/{name}") })
}
