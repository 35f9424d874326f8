//! `LabelledImport`: an import whose name is that of a store.

/// An import of a component under a label: `import cache: wasi:keyvalue/store@0.2.0-draft2`. The label is the name of a store,
/// so one component may import an interface several times.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LabelledImport {
    /// The name of the import: `cache`.
    pub label: String,
    /// The interface that it implements: `wasi:keyvalue/store@0.2.0-draft2`.
    pub interface: String,
}
