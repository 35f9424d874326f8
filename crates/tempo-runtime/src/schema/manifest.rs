//! The keys of a manifest that are no flags.

use serde_json::{Map, Value, json};

use crate::manifest::{BUILD, COMPONENT, IMPORTS, MAX_COMPONENTS, NAME, SOURCE};

/// The pattern of the names of apps and components.
const NAME_PATTERN: &str = "^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$";

/// Returns the keys at the top of the file.
pub(super) fn app() -> Map<String, Value> {
    let component = json!({
        "description": "The components of the app, by name.",
        "type": "object",
        "patternProperties": { NAME_PATTERN: super::reference("component") },
        "additionalProperties": false,
        "minProperties": 1,
        "maxProperties": MAX_COMPONENTS,
    });
    let name = json!({ "description": "The name of the app.", "type": "string", "pattern": NAME_PATTERN });
    [(NAME.to_owned(), name), (COMPONENT.to_owned(), component), (BUILD.to_owned(), build())].into_iter().collect()
}

/// Returns the definition of a component, which has these `flags`.
pub(super) fn component(flags: Map<String, Value>) -> Value {
    let mut properties = flags;
    let source = json!({
        "description": "The component's file, relative to this one.",
        "type": "string",
        "minLength": 1,
    });
    properties.insert(SOURCE.to_owned(), source);
    properties.insert(IMPORTS.to_owned(), imports());
    properties.insert(BUILD.to_owned(), build());
    json!({
        "description": "A component of the app.",
        "type": "object",
        "properties": properties,
        "required": [SOURCE],
        "additionalProperties": false,
    })
}

fn build() -> Value {
    json!({
        "description": "How `dev` builds the file.",
        "type": "object",
        "properties": {
            "command": { "description": "The command, for `sh -c`.", "type": "string" },
            "watch": { "description": "The files and folders whose changes cause a build.", "type": "array", "items": { "type": "string" } },
            "dir": { "description": "The folder in which the command runs, relative to this file.", "type": "string" },
        },
        "required": ["command"],
        "additionalProperties": false,
    })
}

fn imports() -> Value {
    let table = json!({
        "type": "object",
        "properties": {
            "component": { "description": "The component that exports the interface.", "type": "string" },
            "link": { "description": "How calls are made: isolated, in an instance of the exporting component with its own store, or composed, in the store of the importing one.", "enum": ["isolated", "composed"], "default": "isolated" },
            "inherit": { "description": "The flags whose grants a composed component has of the importing one.", "type": "array", "items": { "type": "string" } },
            "on-failure": { "description": "The consequence of a failed call: a trap, or an error value of the function's result.", "enum": ["trap", "error"], "default": "trap" },
        },
        "required": ["component"],
        "additionalProperties": false,
    });
    json!({
        "description": "The interfaces that other components of the app export to this one, such as \"acme:pricing/quote\" = \"pricing\".",
        "type": "object",
        "additionalProperties": { "anyOf": [{ "type": "string" }, table] },
    })
}
