//! The functions of an interface that one component imports and another exports.

use std::fmt;

use wasmtime::Engine;
use wasmtime::component::types::{ComponentFunc, ComponentInstance, ComponentItem};
use wasmtime::component::{Component, Type};

use super::failure::FailureCase;
use crate::interfaces::is_same_interface;

/// The type of an interface, with its name.
#[derive(Debug)]
pub(crate) struct InterfaceTypes {
    /// The full name, such as `acme:pricing/quote@1.0.0`.
    pub(crate) name: String,
    instance: ComponentInstance,
}

impl InterfaceTypes {
    /// Finds the import of `component` that `interface`, with or without version, names.
    pub(crate) fn imported(component: &Component, interface: &str) -> Option<Self> {
        let (engine, ty) = (component.engine(), component.component_type());
        let mut found = ty.imports(engine).filter_map(|(name, item)| Self::of(name, item.ty, interface));
        found.next()
    }

    /// Finds the export of `component` that `interface`, with or without version, names.
    pub(crate) fn exported(component: &Component, interface: &str) -> Option<Self> {
        let (engine, ty) = (component.engine(), component.component_type());
        let mut found = ty.exports(engine).filter_map(|(name, item)| Self::of(name, item.ty, interface));
        found.next()
    }

    fn of(name: &str, item: ComponentItem, interface: &str) -> Option<Self> {
        match item {
            ComponentItem::ComponentInstance(instance) if is_same_interface(name, interface) => {
                Some(Self { name: name.to_owned(), instance })
            }
            _ => None,
        }
    }

    /// Returns the type of the function `name`.
    pub(super) fn function(&self, engine: &Engine, name: &str) -> Option<ComponentFunc> {
        match self.instance.get_export(engine, name)?.ty {
            ComponentItem::ComponentFunc(function) => Some(function),
            _ => None,
        }
    }
}

/// A function that the host links.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LinkedFunction {
    /// The name in the interface.
    pub(crate) name: String,
    /// Whether its type is async.
    pub(crate) is_async: bool,
    /// The error value of a call that failed; `None` if it traps.
    pub(crate) failure: Option<FailureCase>,
}

/// Why an import cannot be linked to an export.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Mismatch {
    /// The export lacks the function.
    Missing {
        /// The function.
        function: String,
    },
    /// The function has another type in the export.
    Type {
        /// The function.
        function: String,
    },
    /// The value of this kind exists in one store only.
    NotPlain {
        /// The function or resource.
        item: String,
        /// The kind, such as `a stream`.
        kind: &'static str,
    },
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing { function } => write!(f, "`{function}` is imported and not exported"),
            Self::Type { function } => write!(f, "`{function}` is exported with another type than it is imported with"),
            Self::NotPlain { item, kind } => {
                write!(f, "`{item}` has {kind}, which cannot leave its component; give link = \"composed\"")
            }
        }
    }
}

/// Returns the functions of `import`, all of which `export` has with the same type and with plain values.
///
/// # Errors
///
/// All functions that cannot be linked.
pub(crate) fn matching(
    engine: &Engine,
    import: &InterfaceTypes,
    export: &InterfaceTypes,
) -> Result<Vec<LinkedFunction>, Vec<Mismatch>> {
    let (mut functions, mut mismatches) = (Vec::new(), Vec::new());
    for (name, item) in import.instance.exports(engine) {
        match item.ty {
            ComponentItem::ComponentFunc(function) => {
                match check(&function, export.function(engine, name).as_ref(), name) {
                    Ok(()) => {
                        let (name, is_async) = (name.to_owned(), function.async_());
                        functions.push(LinkedFunction { name, is_async, failure: None });
                    }
                    Err(mismatch) => mismatches.push(mismatch),
                }
            }
            ComponentItem::Resource(_) => {
                mismatches.push(Mismatch::NotPlain { item: name.to_owned(), kind: "a resource" });
            }
            _ => {}
        }
    }
    if mismatches.is_empty() { Ok(functions) } else { Err(mismatches) }
}

fn check(import: &ComponentFunc, export: Option<&ComponentFunc>, name: &str) -> Result<(), Mismatch> {
    if let Some(kind) = import.params().map(|(_, ty)| ty).chain(import.results()).find_map(|ty| unsendable(&ty)) {
        return Err(Mismatch::NotPlain { item: name.to_owned(), kind });
    }
    let export = export.ok_or_else(|| Mismatch::Missing { function: name.to_owned() })?;
    let same = import.async_() == export.async_()
        && import.params().eq(export.params())
        && import.results().eq(export.results());
    if same { Ok(()) } else { Err(Mismatch::Type { function: name.to_owned() }) }
}

/// Returns the kind of a value within `ty` that exists in one store only.
fn unsendable(ty: &Type) -> Option<&'static str> {
    match ty {
        Type::Own(_) | Type::Borrow(_) => Some("a resource"),
        Type::Stream(_) => Some("a stream"),
        Type::Future(_) => Some("a future"),
        Type::ErrorContext => Some("an error context"),
        Type::List(list) => unsendable(&list.ty()),
        Type::FixedLengthList(list) => unsendable(&list.ty()),
        Type::Map(map) => unsendable(&map.key()).or_else(|| unsendable(&map.value())),
        Type::Record(record) => record.fields().find_map(|field| unsendable(&field.ty)),
        Type::Tuple(tuple) => tuple.types().find_map(|ty| unsendable(&ty)),
        Type::Variant(variant) => variant.cases().filter_map(|case| case.ty).find_map(|ty| unsendable(&ty)),
        Type::Option(option) => unsendable(&option.ty()),
        Type::Result(result) => result.ok().into_iter().chain(result.err()).find_map(|ty| unsendable(&ty)),
        Type::Bool
        | Type::S8
        | Type::U8
        | Type::S16
        | Type::U16
        | Type::S32
        | Type::U32
        | Type::S64
        | Type::U64
        | Type::Float32
        | Type::Float64
        | Type::Char
        | Type::String
        | Type::Enum(_)
        | Type::Flags(_) => None,
    }
}
