//! The types of values, from the placeholders and the forms of flags.

use serde_json::{Map, Value, json};
use tempo_settings::{Flag, ValueForm};

use super::reference;

/// Sizes such as `64KiB`, `1.5 MB` and `65536`.
const SIZE_PATTERN: &str = "^ *[0-9]+(\\.[0-9]+)? *([kKmMgGtTpPeE][iI]?)?[bB]? *$";
/// Times such as `500ms`, `1h 30m` and `0`.
const TIME_PATTERN: &str = "^ *(0|([0-9]+ *[a-zA-Z\u{b5}\u{3bc}]+ *)+)$";
/// Several times, as in `1s/5s/30s`.
const TIMES_PATTERN: &str = "^([0-9]+ *[a-zA-Z\u{b5}\u{3bc}]+ */?)+$";

/// Returns the definitions of the types that flags share.
pub(super) fn definitions() -> Map<String, Value> {
    let texts = ["true", "false", "yes", "no", "on", "off", "1", "0"];
    let definitions = [
        (
            "count",
            json!({ "anyOf": [{ "type": "integer", "minimum": 0 }, { "type": "string", "pattern": "^[0-9]+$" }] }),
        ),
        (
            "size",
            json!({ "anyOf": [{ "type": "string", "pattern": SIZE_PATTERN }, { "type": "integer", "minimum": 1 }] }),
        ),
        ("time", json!({ "type": "string", "pattern": TIME_PATTERN })),
        (
            "times",
            json!({ "anyOf": [
            { "type": "array", "items": reference("time") },
            { "type": "string", "pattern": TIMES_PATTERN },
        ] }),
        ),
        ("boolean", json!({ "anyOf": [{ "type": "boolean" }, { "enum": texts }] })),
        ("scalar", json!({ "type": ["string", "integer", "boolean"] })),
    ];
    definitions.into_iter().map(|(name, definition)| (name.to_owned(), definition)).collect()
}

/// Returns the definition of `flag`.
pub(super) fn of_flag(flag: &Flag) -> Value {
    let one = of_placeholder(flag.value, flag.choices);
    let mut forms = vec![one.clone()];
    match (flag.first_key, flag.repeatable) {
        (Some(first), _) => {
            let table = table(flag, first);
            let item = json!({ "anyOf": [one, table.clone()] });
            forms.extend([table, json!({ "type": "array", "items": item })]);
        }
        (None, true) => {
            forms.push(json!({ "type": "array", "items": one }));
            forms.extend(by_name(flag.form));
        }
        (None, false) => {}
    }
    let mut definition = match <[Value; 1]>::try_from(forms) {
        Ok([one]) => json!({ "allOf": [one] }),
        Err(forms) => json!({ "anyOf": forms }),
    };
    if let Some(object) = definition.as_object_mut() {
        object.insert("description".to_owned(), format!("{}.", flag.help).into());
        if let Some(default) = flag.default {
            object.insert("default".to_owned(), typed(flag.value, default));
        }
    }
    definition
}

/// Returns the type of a value with this placeholder in the help.
fn of_placeholder(placeholder: &str, choices: &[&str]) -> Value {
    match placeholder {
        _ if !choices.is_empty() => json!({ "enum": choices }),
        "N" => reference("count"),
        "SIZE" => reference("size"),
        "TIME" => reference("time"),
        "TIME[/TIME]..." => reference("times"),
        "BOOL" => reference("boolean"),
        "KEY=VALUE" => json!({ "type": "string", "pattern": "^[^=]+=" }),
        _ => json!({ "type": "string" }),
    }
}

/// Returns the table of a repeatable flag whose values have names.
fn by_name(form: ValueForm) -> Option<Value> {
    match form {
        ValueForm::KeyValue => Some(json!({ "type": "object", "additionalProperties": reference("scalar") })),
        ValueForm::NamedUrl => Some(json!({ "type": "object", "additionalProperties": { "type": "string" } })),
        _ => None,
    }
}

/// Returns the table of a value with options, whose text is the key `first`.
fn table(flag: &Flag, first: &str) -> Value {
    let mut properties: Map<String, Value> =
        flag.options.iter().map(|(name, placeholder)| ((*name).to_owned(), of_placeholder(placeholder, &[]))).collect();
    let texts = json!({ "type": "array", "items": { "type": "string" }, "minItems": 1 });
    properties.insert(first.to_owned(), json!({ "anyOf": [{ "type": "string" }, texts] }));
    properties.insert("name".to_owned(), json!({ "type": "string" }));
    json!({ "type": "object", "properties": properties, "required": [first], "additionalProperties": false })
}

/// Returns the default `text` as the file's author would write it.
fn typed(placeholder: &str, text: &str) -> Value {
    match placeholder {
        "N" => text.parse::<u64>().map_or_else(|_| text.into(), Value::from),
        "BOOL" => text.parse::<bool>().map_or_else(|_| text.into(), Value::from),
        _ => text.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placeholders_are_types() {
        const COUNT: Flag = Flag::new("max", "N", "Most").default("5");
        let expected = json!({ "allOf": [reference("count")], "default": 5, "description": "Most." });
        assert_eq!(of_flag(&COUNT), expected);
        const KIND: Flag = Flag::new("kind", "KIND", "Which").one_of(&["a", "b"]);
        assert_eq!(of_flag(&KIND)["allOf"][0], json!({ "enum": ["a", "b"] }));
    }

    #[test]
    fn a_repeatable_flag_is_one_value_an_array_or_a_table() {
        const URLS: Flag = Flag::new("allow", "URL", "").repeatable();
        assert_eq!(of_flag(&URLS)["anyOf"].as_array().map(Vec::len), Some(2));
        const STORES: Flag = Flag::new("store", "[NAME=]URL", "").repeatable().form(ValueForm::NamedUrl);
        assert_eq!(of_flag(&STORES)["anyOf"][2]["type"], "object");
        const SUBSCRIBE: Flag = Flag::new("subscribe", "TOPIC", "").with_options("topic").options(&[("n", "N")]);
        let table = &of_flag(&SUBSCRIBE)["anyOf"][1];
        assert_eq!((&table["required"], &table["properties"]["n"]), (&json!(["topic"]), &reference("count")));
    }
}
