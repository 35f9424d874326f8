//! Values of the canonical ABI: the error that a denied function returns.

use wit_parser::{Int, Resolve, SizeAlign, Type, TypeDefKind, Variant};

/// The text of an error that is a string.
const MESSAGE: &str = "access denied: this component is composed, and `inherit` does not grant it";
/// Maximum size of a value, in bytes: a type of a hostile component may be of any size.
const MAX_VALUE_BYTES: usize = 64 << 10;
/// The names of error cases that report a denial, the best one first, and then those of any failure.
const DENIALS: [&str; 12] = [
    "access-denied",
    "permission-denied",
    "not-permitted",
    "http-request-denied",
    "access",
    "denied",
    "forbidden",
    "unauthorized",
    "not-supported",
    "unsupported",
    "internal-error",
    "other",
];

/// Static data of a core module, which holds values of component types.
pub(super) struct Values<'a> {
    resolve: &'a Resolve,
    sizes: SizeAlign,
    /// The address of the first byte.
    base: usize,
    data: Vec<u8>,
    /// The address of [`MESSAGE`].
    message: usize,
}

impl<'a> Values<'a> {
    /// Creates static data that begins at the address `base`, which is a multiple of 8.
    pub(super) fn new(resolve: &'a Resolve, base: usize) -> Self {
        let mut sizes = SizeAlign::default();
        sizes.fill(resolve);
        Self { resolve, sizes, base, data: MESSAGE.as_bytes().to_vec(), message: base }
    }

    /// Returns the data.
    pub(super) fn data(&self) -> &[u8] {
        &self.data
    }

    /// Adds the error of `ty`, which must be a `result`. Returns its address, or `None` if `ty` is not a `result`, or its error
    /// cannot be created: it contains a resource, a stream or a future.
    pub(super) fn add_error(&mut self, ty: &Type) -> Option<usize> {
        let result = self.result(ty)?;
        self.add(ty, |values, at| {
            *values.byte(at)? = 1;
            match result.1 {
                Some(error) => {
                    let payload = values.sizes.payload_offset(Int::U8, [result.0.as_ref(), Some(&error)]);
                    values.write(&error, at.checked_add(payload.size_wasm32())?)
                }
                None => Some(()),
            }
        })
    }

    /// Adds the value of `ty` whose bytes are all zero: an empty list, or `none`. Returns its address.
    pub(super) fn add_empty(&mut self, ty: &Type) -> Option<usize> {
        matches!(self.kind(ty)?, TypeDefKind::List(_) | TypeDefKind::Option(_)).then_some(())?;
        self.add(ty, |_, _| Some(()))
    }

    /// Returns the types of the success and the error of a `result`.
    pub(super) fn result(&self, ty: &Type) -> Option<(Option<Type>, Option<Type>)> {
        match self.kind(ty)? {
            TypeDefKind::Result(result) => Some((result.ok, result.err)),
            _ => None,
        }
    }

    /// Reserves zero bytes for a value of `ty` and calls `write` with its index. Removes the bytes if that fails.
    fn add(&mut self, ty: &Type, write: impl FnOnce(&mut Self, usize) -> Option<()>) -> Option<usize> {
        let length = self.data.len();
        let at = length.next_multiple_of(8);
        let size = self.sizes.size(ty).size_wasm32();
        if size > MAX_VALUE_BYTES {
            return None;
        }
        self.data.resize(at.checked_add(size)?, 0);
        let written = write(self, at);
        if written.is_none() {
            self.data.truncate(length);
        }
        written.map(|()| self.base.saturating_add(at))
    }

    /// Returns the definition of `ty` behind its aliases.
    fn kind(&self, ty: &Type) -> Option<&'a TypeDefKind> {
        let Type::Id(mut id) = *ty else { return None };
        loop {
            match &self.resolve.types.get(id)?.kind {
                TypeDefKind::Type(Type::Id(alias)) => id = *alias,
                kind => return Some(kind),
            }
        }
    }

    fn byte(&mut self, at: usize) -> Option<&mut u8> {
        self.data.get_mut(at)
    }

    /// Writes a value of `ty` at index `at`, where all bytes are zero. Returns `None` if there is no value without a handle.
    fn write(&mut self, ty: &Type, at: usize) -> Option<()> {
        match ty {
            Type::Bool | Type::U8 | Type::U16 | Type::U32 | Type::U64 | Type::F32 | Type::F64 | Type::Char => Some(()),
            Type::S8 | Type::S16 | Type::S32 | Type::S64 => Some(()),
            Type::String => self.write_message(at),
            Type::ErrorContext => None,
            Type::Id(id) => match &self.resolve.types.get(*id)?.kind {
                TypeDefKind::Type(ty) => self.write(ty, at),
                TypeDefKind::Option(_) | TypeDefKind::List(_) | TypeDefKind::Map(..) | TypeDefKind::Flags(_) => {
                    Some(())
                }
                TypeDefKind::Record(record) => self.write_fields(record.fields.iter().map(|field| &field.ty), at),
                TypeDefKind::Tuple(tuple) => self.write_fields(tuple.types.iter(), at),
                TypeDefKind::Enum(cases) => {
                    let best = best(cases.cases.iter().map(|case| case.name.as_str()));
                    self.write_tag(cases.tag(), *best.first()?, at)
                }
                TypeDefKind::Variant(variant) => self.write_variant(variant, at),
                _ => None,
            },
        }
    }

    fn write_message(&mut self, at: usize) -> Option<()> {
        let parts = [self.message, MESSAGE.len()].map(|part| u32::try_from(part).unwrap_or(0).to_le_bytes());
        self.data.get_mut(at..at.checked_add(8)?)?.copy_from_slice(parts.as_flattened());
        Some(())
    }

    fn write_fields<'t>(&mut self, types: impl Iterator<Item = &'t Type> + Clone, at: usize) -> Option<()> {
        let offsets = self.sizes.field_offsets(types);
        offsets.into_iter().try_for_each(|(offset, ty)| self.write(ty, at.checked_add(offset.size_wasm32())?))
    }

    fn write_variant(&mut self, variant: &Variant, at: usize) -> Option<()> {
        let payload = self.sizes.payload_offset(variant.tag(), variant.cases.iter().map(|case| case.ty.as_ref()));
        let payload = at.checked_add(payload.size_wasm32())?;
        best(variant.cases.iter().map(|case| case.name.as_str())).into_iter().find_map(|index| {
            let before = self.data.clone();
            let written = match &variant.cases.get(index)?.ty {
                Some(ty) => self.write(ty, payload),
                None => Some(()),
            };
            if written.is_none() {
                self.data = before;
            }
            written.and_then(|()| self.write_tag(variant.tag(), index, at))
        })
    }

    fn write_tag(&mut self, tag: Int, index: usize, at: usize) -> Option<()> {
        let bytes = u64::try_from(index).ok()?.to_le_bytes();
        let size = match tag {
            Int::U8 => 1,
            Int::U16 => 2,
            Int::U32 => 4,
            Int::U64 => 8,
        };
        self.data.get_mut(at..at.checked_add(size)?)?.copy_from_slice(bytes.get(..size)?);
        Some(())
    }
}

/// Returns the indexes of the cases `names`, those that report a denial first.
fn best<'n>(names: impl Iterator<Item = &'n str>) -> Vec<usize> {
    let rank =
        |name: &str| DENIALS.iter().position(|denial| name.eq_ignore_ascii_case(denial)).unwrap_or(DENIALS.len());
    let mut ranked: Vec<(usize, usize)> = names.enumerate().map(|(index, name)| (rank(name), index)).collect();
    ranked.sort_unstable();
    ranked.into_iter().map(|(_, index)| index).collect()
}
