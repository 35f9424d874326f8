//! `deny_adapter`: a component that exports the interfaces which a composed dependency must not reach.
//!
//! The types of the interfaces are those that the dependency imports. A function whose result is a `result` returns an error, and
//! all others trap, but those that a program calls at its start: its environment and its directories are empty. Each function
//! drops the handles that it is given. The adapter imports types only, so it can reach nothing either.

mod handles;
mod module;
#[cfg(test)]
mod tests;
mod value;

use anyhow::Context as _;
use wit_component::{ComponentEncoder, DecodedWasm, StringEncoding, embed_component_metadata};
use wit_parser::{Resolve, WorldId, WorldItem, WorldKey};

use module::DenyModule;

/// The types of a component's imports and exports.
pub(super) struct ComponentWorld {
    resolve: Resolve,
    world: WorldId,
}

/// An import of a component.
pub(super) struct Import {
    /// The name: that of an interface, with the version, or a label.
    pub(super) name: String,
    /// The name of the interface with a package; `None` if it is none.
    pub(super) interface: Option<String>,
    /// True if it has neither functions nor resources: nothing has to provide it.
    pub(super) is_types_only: bool,
}

impl ComponentWorld {
    /// Reads the types of `component`.
    ///
    /// # Errors
    ///
    /// An import or export has a type that WIT cannot express.
    pub(super) fn of(component: &[u8]) -> anyhow::Result<Self> {
        match wit_component::decode(component)? {
            DecodedWasm::Component(resolve, world) => Ok(Self { resolve, world }),
            DecodedWasm::WitPackage(..) => anyhow::bail!("it is a WIT package"),
        }
    }

    /// Returns the imports.
    pub(super) fn imports(&self) -> Vec<Import> {
        let Some(world) = self.resolve.worlds.get(self.world) else { return Vec::new() };
        let imports = world.imports.iter().map(|(key, item)| {
            let interface = match item {
                WorldItem::Interface { id, .. } => self.resolve.interfaces.get(*id),
                WorldItem::Function(_) | WorldItem::Type { .. } => None,
            };
            let is_resource = |id: &wit_parser::TypeId| {
                self.resolve.types.get(*id).is_some_and(|ty| matches!(ty.kind, wit_parser::TypeDefKind::Resource))
            };
            let is_types_only = interface.map_or(matches!(item, WorldItem::Type { .. }), |interface| {
                interface.functions.is_empty() && !interface.types.values().any(is_resource)
            });
            let name = self.resolve.name_world_key(key);
            let interface = match key {
                WorldKey::Interface(_) => Some(name.clone()),
                WorldKey::Name(_) => self.resolve.implements_value(key, item),
            };
            Import { name, interface, is_types_only }
        });
        imports.collect()
    }

    /// Encodes the component that exports the imports for which `is_denied` returns true.
    ///
    /// # Errors
    ///
    /// A type cannot be encoded.
    pub(super) fn deny_adapter(mut self, is_denied: impl Fn(&str) -> bool) -> anyhow::Result<Vec<u8>> {
        let names: Vec<String> = self.imports().into_iter().map(|import| import.name).collect();
        let world = self.resolve.worlds.get_mut(self.world).context("the component has no world")?;
        world.exports.clear();
        let imports = std::mem::take(&mut world.imports);
        for ((key, item), name) in imports.into_iter().zip(names) {
            let items = if is_denied(&name) { &mut world.exports } else { &mut world.imports };
            items.insert(key, item);
        }
        let mut module = DenyModule::encode(&self.resolve, self.world).context("the adapter is too large")?;
        embed_component_metadata(&mut module, &self.resolve, self.world, StringEncoding::UTF8)?;
        ComponentEncoder::default().module(&module)?.encode()
    }
}
