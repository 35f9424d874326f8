//! `FailureCase`: the error value that a function returns when its call in another component fails.
//!
//! A manifest asks for it with `on-failure = "error"`; without it, the failure is a trap of the caller. The function's result is
//! `result<_, E>`, and `E` is nothing, a `string`, or an enum or variant with a case of [`CASES`] without a value, or with a
//! `string` or an `option<string>`.

use wasmtime::Engine;
use wasmtime::component::{Type, Val};

use super::signature::{InterfaceTypes, LinkedFunction};

/// The cases that may stand for a failure of the called component, in the order of preference.
const CASES: [&str; 5] = ["other", "internal-error", "internal", "unexpected", "unknown"];

/// Maximum length of the text of an error value, in characters.
const MAX_TEXT_CHARS: usize = 1024;

/// How an error type says that a call has failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum FailureCase {
    /// The error has no value.
    Nothing,
    /// The error is a text.
    Text,
    /// The error is an optional text.
    OptionalText,
    /// The error is this case of an enum.
    Enum(String),
    /// The error is this case of a variant, with a value.
    Variant(String, Box<FailureCase>),
}

impl FailureCase {
    /// Returns the case of a function with this result, if its error can say it.
    fn of_result(result: &Type) -> Option<Self> {
        let Type::Result(result) = result else { return None };
        match result.err() {
            None => Some(Self::Nothing),
            Some(Type::String) => Some(Self::Text),
            Some(Type::Enum(cases)) => {
                let known = |name: &&str| cases.names().any(|case| case == *name);
                CASES.iter().find(|name| known(name)).map(|name| Self::Enum((*name).to_owned()))
            }
            Some(Type::Variant(variant)) => {
                let of_name = |name: &&str| {
                    let case = variant.cases().find(|case| case.name == *name)?;
                    Some(Self::Variant(case.name.to_owned(), Box::new(Self::of_payload(case.ty.as_ref())?)))
                };
                CASES.iter().find_map(of_name)
            }
            Some(_) => None,
        }
    }

    fn of_payload(payload: Option<&Type>) -> Option<Self> {
        match payload {
            None => Some(Self::Nothing),
            Some(Type::String) => Some(Self::Text),
            Some(Type::Option(option)) if option.ty() == Type::String => Some(Self::OptionalText),
            Some(_) => None,
        }
    }

    /// Returns the result of a call that failed with this message.
    pub(super) fn result(&self, message: &str) -> Val {
        let text: String = message.chars().take(MAX_TEXT_CHARS).collect();
        Val::Result(Err(self.value(text).map(Box::new)))
    }

    fn value(&self, text: String) -> Option<Val> {
        match self {
            Self::Nothing => None,
            Self::Text => Some(Val::String(text)),
            Self::OptionalText => Some(Val::Option(Some(Box::new(Val::String(text))))),
            Self::Enum(case) => Some(Val::Enum(case.clone())),
            Self::Variant(case, payload) => Some(Val::Variant(case.clone(), payload.value(text).map(Box::new))),
        }
    }
}

/// Makes failed calls of `functions`, those of the import `imported`, return error values.
///
/// # Errors
///
/// The names of the functions whose results cannot say it.
pub(super) fn return_errors(
    engine: &Engine,
    imported: &InterfaceTypes,
    functions: &mut [LinkedFunction],
) -> Result<(), String> {
    let mut mute = Vec::new();
    for function in functions {
        let ty = imported.function(engine, &function.name);
        let results: Vec<Type> = ty.iter().flat_map(|ty| ty.results()).collect();
        function.failure = match &results[..] {
            [result] => FailureCase::of_result(result),
            _ => None,
        };
        if function.failure.is_none() {
            mute.push(format!("`{}`", function.name));
        }
    }
    if mute.is_empty() { Ok(()) } else { Err(problem(&imported.name, &mute)) }
}

fn problem(interface: &str, functions: &[String]) -> String {
    format!(
        "on-failure of `{interface}`: the results of {} cannot be such an error, which is a string or a case {}; remove on-failure",
        functions.join(", "),
        CASES.map(|case| format!("`{case}`")).join(", ")
    )
}

#[cfg(test)]
mod tests {
    use wasmtime::component::Component;

    use super::*;

    /// Returns the case of a function with this result in an interface.
    fn case(types: &str, result: &str) -> Result<Option<FailureCase>, String> {
        let engine = Engine::default();
        let text = format!(r#"(component (import "a:b/c" (instance {types} (export "f" (func {result})))))"#);
        let component = Component::new(&engine, wat::parse_str(text).unwrap()).unwrap();
        let imported = InterfaceTypes::imported(&component, "a:b/c").unwrap();
        let mut functions = [LinkedFunction { name: "f".to_owned(), is_async: false, failure: None }];
        return_errors(&engine, &imported, &mut functions)?;
        let [function] = functions;
        Ok(function.failure)
    }

    fn variant(case: &str, payload: FailureCase) -> FailureCase {
        FailureCase::Variant(case.to_owned(), Box::new(payload))
    }

    #[test]
    fn errors_that_can_say_it() {
        let named = |ty: &str| format!(r#"(type $t' {ty}) (export "e" (type $t (eq $t')))"#);
        let result = "(result (result u32 (error $t)))";
        for (types, result, expected) in [
            (String::new(), "(result (result))", FailureCase::Nothing),
            (String::new(), "(result (result u32 (error string)))", FailureCase::Text),
            (named(r#"(enum "denied" "other")"#), result, FailureCase::Enum("other".to_owned())),
            (
                named(r#"(variant (case "internal-error" (option string)) (case "denied"))"#),
                result,
                variant("internal-error", FailureCase::OptionalText),
            ),
            (
                named(r#"(variant (case "unknown" string) (case "other"))"#),
                result,
                variant("other", FailureCase::Nothing),
            ),
            (
                named(r#"(variant (case "other" u8) (case "unknown" string))"#),
                result,
                variant("unknown", FailureCase::Text),
            ),
        ] {
            assert_eq!(case(&types, result), Ok(Some(expected)), "{types}{result}");
        }
        for (types, result) in [
            (String::new(), ""),
            (String::new(), "(result string)"),
            (String::new(), "(result (result u32 (error u32)))"),
            (named(r#"(enum "denied")"#), result),
            (named(r#"(variant (case "other" u32))"#), result),
        ] {
            let error = case(&types, result).unwrap_err();
            assert!(error.starts_with("on-failure of `a:b/c`: the results of `f` cannot be such an error"), "{error}");
        }
    }

    #[test]
    fn the_value_has_the_message_within_its_limit() {
        let text = |length: usize| FailureCase::Text.result(&"x".repeat(length));
        for (length, kept) in [(1023, 1023), (1024, 1024), (1025, 1024)] {
            let expected = Val::Result(Err(Some(Box::new(Val::String("x".repeat(kept))))));
            assert_eq!(text(length), expected);
        }
        let value = variant("internal-error", FailureCase::OptionalText).result("why");
        let message = Val::Option(Some(Box::new(Val::String("why".to_owned()))));
        let expected = Val::Variant("internal-error".to_owned(), Some(Box::new(message)));
        assert_eq!(value, Val::Result(Err(Some(Box::new(expected)))));
        assert_eq!(FailureCase::Nothing.result("why"), Val::Result(Err(None)));
    }
}
