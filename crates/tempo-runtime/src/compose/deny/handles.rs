//! Drops the handles among the arguments of a denied function.

#[cfg(test)]
mod tests;

use wasm_encoder::{BlockType, Instruction, MemArg, ValType};
use wit_parser::abi::{FlatTypes, WasmSignature, WasmType};
use wit_parser::{
    Function, FutureIntrinsic, Handle, Int, LiftLowerAbi, ManglingAndAbi, Resolve, ResourceIntrinsic, SizeAlign,
    StreamIntrinsic, Type, TypeDefKind, TypeId, TypeOwner, WasmImport, World, WorldItem, WorldKey,
};

use super::module::value_type;

/// Maximum number of instructions that drop the arguments of one function: its types may be hostile.
const MAX_INSTRUCTIONS: usize = 1 << 16;
/// Maximum number of types that are visited for one module: lists of a fixed length can nest to any size.
const MAX_VISITS: usize = 1 << 20;

/// Where an argument is, or a part of it.
#[derive(Clone, Copy)]
enum Place {
    /// In locals, from this index on.
    Locals(u32),
    /// In the memory, `offset` bytes behind the address that is in the local `address`.
    Memory { address: u32, offset: usize },
}

/// The functions that drop handles, which the module imports.
pub(super) struct Drops<'a> {
    resolve: &'a Resolve,
    world: &'a World,
    sizes: SizeAlign,
    /// The modules and names of the imports, in the order of their indexes.
    imports: Vec<(String, String)>,
    visits: usize,
}

/// The code that drops the arguments of one function.
pub(super) struct DropCode {
    pub(super) instructions: Vec<Instruction<'static>>,
    /// The number of locals that the code needs, of type `i32`, behind the parameters.
    pub(super) locals: u32,
    parameters: Vec<ValType>,
}

impl<'a> Drops<'a> {
    pub(super) fn new(resolve: &'a Resolve, world: &'a World) -> Self {
        let mut sizes = SizeAlign::default();
        sizes.fill(resolve);
        Self { resolve, world, sizes, imports: Vec::new(), visits: 0 }
    }

    /// Returns the imports, which all have one parameter of type `i32`.
    pub(super) fn imports(&self) -> &[(String, String)] {
        &self.imports
    }

    /// Returns the code that drops the arguments of `function`, which is exported by the interface `key`, or `None` if it is too
    /// large.
    pub(super) fn arguments(
        &mut self,
        key: &WorldKey,
        function: &Function,
        signature: &WasmSignature,
    ) -> Option<DropCode> {
        let parameters = signature.params.iter().map(value_type).collect();
        let code = DropCode { instructions: Vec::new(), locals: 0, parameters };
        let start = if signature.indirect_params { Place::Memory { address: 0, offset: 0 } } else { Place::Locals(0) };
        let mut generator = Generator { drops: self, key, function, code };
        generator.fields(function.params.iter().map(|parameter| &parameter.ty), start)?;
        Some(generator.code)
    }

    /// Returns the index of an import.
    fn import(&mut self, import: WasmImport<'_>) -> Option<u32> {
        let name = self.resolve.wasm_import_name(ManglingAndAbi::Legacy(LiftLowerAbi::Sync), import);
        let known = self.imports.iter().position(|known| *known == name);
        let index = known.unwrap_or_else(|| {
            self.imports.push(name);
            self.imports.len().saturating_sub(1)
        });
        u32::try_from(index).ok()
    }

    /// Returns the key of the imported interface that defines `resource`. A resource of an exported interface has no handles:
    /// nothing can create it.
    fn imported(&self, resource: TypeId) -> Option<&'a WorldKey> {
        let TypeOwner::Interface(owner) = self.resolve.types.get(resource)?.owner else { return None };
        let is_owner = |item: &WorldItem| matches!(item, WorldItem::Interface { id, .. } if *id == owner);
        self.world.imports.iter().find(|(_, item)| is_owner(item)).map(|(key, _)| key)
    }

    /// Returns the number of core values of a value of `ty`.
    fn flat(&self, ty: &Type) -> Option<u32> {
        let mut types = [WasmType::I32; Resolve::MAX_FLAT_PARAMS];
        let mut flat = FlatTypes::new(&mut types);
        self.resolve.push_flat(ty, &mut flat).then(|| u32::try_from(flat.to_vec().len()).ok()).flatten()
    }
}

/// Writes the code for the arguments of a function.
struct Generator<'d, 'a> {
    drops: &'d mut Drops<'a>,
    key: &'d WorldKey,
    function: &'d Function,
    code: DropCode,
}

impl Generator<'_, '_> {
    /// Writes the code for a value of `ty`, if it can contain a handle.
    fn value(&mut self, ty: &Type, place: Place) -> Option<()> {
        self.drops.visits = self.drops.visits.checked_add(1).filter(|visits| *visits <= MAX_VISITS)?;
        let Type::Id(id) = *ty else { return Some(()) };
        let resolve = self.drops.resolve;
        match &resolve.types.get(id)?.kind {
            TypeDefKind::Type(ty) => self.value(ty, place),
            TypeDefKind::Handle(Handle::Own(resource) | Handle::Borrow(resource)) => self.resource(*resource, place),
            TypeDefKind::Stream(_) => self.stream(id, place),
            TypeDefKind::Future(_) => self.future(id, place),
            TypeDefKind::Record(record) => self.fields(record.fields.iter().map(|field| &field.ty), place),
            TypeDefKind::Tuple(tuple) => self.fields(tuple.types.iter(), place),
            TypeDefKind::Option(some) => self.cases(Int::U8, &[None, Some(some)], place),
            TypeDefKind::Result(result) => self.cases(Int::U8, &[result.ok.as_ref(), result.err.as_ref()], place),
            TypeDefKind::Variant(variant) => {
                let cases: Vec<_> = variant.cases.iter().map(|case| case.ty.as_ref()).collect();
                self.cases(variant.tag(), &cases, place)
            }
            TypeDefKind::List(element) => self.list(element, place),
            TypeDefKind::FixedLengthList(element, length) => {
                let length = usize::try_from(*length).ok().filter(|length| *length <= MAX_INSTRUCTIONS)?;
                self.fields(std::iter::repeat_n(element, length), place)
            }
            _ => Some(()),
        }
    }

    fn resource(&mut self, resource: TypeId, place: Place) -> Option<()> {
        let mut resource = resource;
        while let TypeDefKind::Type(Type::Id(alias)) = self.drops.resolve.types.get(resource)?.kind {
            resource = alias;
        }
        let Some(key) = self.drops.imported(resource) else { return Some(()) };
        let intrinsic = ResourceIntrinsic::ImportedDrop;
        self.drop_handle(WasmImport::ResourceIntrinsic { interface: Some(key), resource, intrinsic }, place)
    }

    fn stream(&mut self, id: TypeId, place: Place) -> Option<()> {
        let (interface, func) = (Some(self.key), self.function);
        let intrinsic = StreamIntrinsic::DropReadable;
        let import =
            WasmImport::StreamIntrinsic { interface, func, ty: Some(id), intrinsic, exported: true, async_: false };
        self.drop_handle(import, place)
    }

    fn future(&mut self, id: TypeId, place: Place) -> Option<()> {
        let (interface, func) = (Some(self.key), self.function);
        let intrinsic = FutureIntrinsic::DropReadable;
        let import =
            WasmImport::FutureIntrinsic { interface, func, ty: Some(id), intrinsic, exported: true, async_: false };
        self.drop_handle(import, place)
    }

    fn drop_handle(&mut self, import: WasmImport<'_>, place: Place) -> Option<()> {
        let drop = self.drops.import(import)?;
        self.load(place, Int::U32)?;
        self.push(Instruction::Call(drop))
    }

    fn fields<'t>(&mut self, types: impl Iterator<Item = &'t Type> + Clone, place: Place) -> Option<()> {
        match place {
            Place::Locals(mut index) => {
                for ty in types {
                    self.value(ty, Place::Locals(index))?;
                    index = index.checked_add(self.drops.flat(ty)?)?;
                }
            }
            Place::Memory { address, offset } => {
                for (field, ty) in self.drops.sizes.field_offsets(types) {
                    let offset = offset.checked_add(field.size_wasm32())?;
                    self.value(ty, Place::Memory { address, offset })?;
                }
            }
        }
        Some(())
    }

    fn cases(&mut self, tag: Int, cases: &[Option<&Type>], place: Place) -> Option<()> {
        let payload = match place {
            Place::Locals(index) => Place::Locals(index.checked_add(1)?),
            Place::Memory { address, offset } => {
                let payload = self.drops.sizes.payload_offset(tag, cases.iter().copied()).size_wasm32();
                Place::Memory { address, offset: offset.checked_add(payload)? }
            }
        };
        for (case, ty) in cases.iter().enumerate() {
            let Some(ty) = ty else { continue };
            let before = self.code.instructions.len();
            self.load(place, tag)?;
            self.push(Instruction::I32Const(i32::try_from(case).ok()?))?;
            self.push(Instruction::I32Eq)?;
            self.push(Instruction::If(BlockType::Empty))?;
            self.unless_empty(before, |this| this.value(ty, payload), &[Instruction::End])?;
        }
        Some(())
    }

    fn list(&mut self, element: &Type, place: Place) -> Option<()> {
        let length = match place {
            Place::Locals(index) => Place::Locals(index.checked_add(1)?),
            Place::Memory { address, offset } => Place::Memory { address, offset: offset.checked_add(4)? },
        };
        let size = i32::try_from(self.drops.sizes.size(element).size_wasm32()).ok()?;
        let (before, locals) = (self.code.instructions.len(), self.code.locals);
        let (address, left) = (self.local()?, self.local()?);
        self.load(place, Int::U32)?;
        self.push(Instruction::LocalSet(address))?;
        self.load(length, Int::U32)?;
        self.push(Instruction::LocalSet(left))?;
        self.push(Instruction::Block(BlockType::Empty))?;
        self.push(Instruction::Loop(BlockType::Empty))?;
        self.push(Instruction::LocalGet(left))?;
        self.push(Instruction::I32Eqz)?;
        self.push(Instruction::BrIf(1))?;
        let add = |local, constant| {
            [
                Instruction::LocalGet(local),
                Instruction::I32Const(constant),
                Instruction::I32Add,
                Instruction::LocalSet(local),
            ]
        };
        let end = [Instruction::Br(0), Instruction::End, Instruction::End];
        let end: Vec<_> = add(address, size).into_iter().chain(add(left, -1)).chain(end).collect();
        let element = |this: &mut Self| this.value(element, Place::Memory { address, offset: 0 });
        if !self.unless_empty(before, element, &end)? {
            self.code.locals = locals;
        }
        Some(())
    }

    /// Writes `inner` and then `end`. If `inner` writes nothing, the code is as it was at `before`, and the result is false.
    fn unless_empty(
        &mut self,
        before: usize,
        inner: impl FnOnce(&mut Self) -> Option<()>,
        end: &[Instruction<'static>],
    ) -> Option<bool> {
        let start = self.code.instructions.len();
        inner(self)?;
        let wrote = self.code.instructions.len() > start;
        if wrote {
            end.iter().try_for_each(|instruction| self.push(instruction.clone()))?;
        } else {
            self.code.instructions.truncate(before);
        }
        Some(wrote)
    }

    /// Writes the load of an `i32`, of which `tag` is the size in memory.
    fn load(&mut self, place: Place, tag: Int) -> Option<()> {
        match place {
            Place::Locals(index) => {
                self.push(Instruction::LocalGet(index))?;
                // A local that other cases use for 64 bits.
                match self.code.parameters.get(usize::try_from(index).ok()?) {
                    Some(ValType::I64) => self.push(Instruction::I32WrapI64),
                    _ => Some(()),
                }
            }
            Place::Memory { address, offset } => {
                self.push(Instruction::LocalGet(address))?;
                let at = MemArg { offset: u64::try_from(offset).ok()?, align: 0, memory_index: 0 };
                self.push(match tag {
                    Int::U8 => Instruction::I32Load8U(at),
                    Int::U16 => Instruction::I32Load16U(at),
                    Int::U32 | Int::U64 => Instruction::I32Load(at),
                })
            }
        }
    }

    fn push(&mut self, instruction: Instruction<'static>) -> Option<()> {
        (self.code.instructions.len() < MAX_INSTRUCTIONS).then(|| self.code.instructions.push(instruction))
    }

    /// Adds a local, and returns its index.
    fn local(&mut self) -> Option<u32> {
        let index = u32::try_from(self.code.parameters.len()).ok()?.checked_add(self.code.locals)?;
        self.code.locals = self.code.locals.checked_add(1)?;
        Some(index)
    }
}
