//! The core module of a deny adapter.

use wasm_encoder::{
    CodeSection, ConstExpr, DataSection, EntityType, ExportKind, ExportSection, Function, FunctionSection,
    GlobalSection, GlobalType, ImportSection, MemorySection, MemoryType, Module, NameMap, NameSection, TypeSection,
    ValType,
};
use wit_parser::abi::{AbiVariant, WasmSignature, WasmType};
use wit_parser::{LiftLowerAbi, ManglingAndAbi, Resolve, WasmExport, WasmExportKind, WorldItem, WorldKey};

use super::handles::{DropCode, Drops};
use super::value::Values;

/// The name of the module in backtraces, by which `tempo_core::describe` recognizes a denial.
const MODULE: &str = "tempo-denied";
/// The ABI of the exports. An async function may have the sync ABI too, because it returns at once.
const ABI: ManglingAndAbi = ManglingAndAbi::Legacy(LiftLowerAbi::Sync);
/// The address of the static data.
const DATA: usize = 16;
/// The global that holds the address of the next allocation.
const NEXT: u32 = 0;
const PAGE_BYTES: usize = 1 << 16;
/// The interfaces whose functions return an empty list, or `none`: programs call them at their start.
const EMPTY: [&str; 2] = ["wasi:cli/environment", "wasi:filesystem/preopens"];

/// How a denied function answers.
enum Answer {
    /// With the value at this address.
    At(usize),
    /// With this discriminant of a `result` without values.
    Discriminant(i32),
    /// With a trap.
    Trap,
}

/// The core module of the exports of a world: each of its functions denies the call.
pub(super) struct DenyModule<'a> {
    resolve: &'a Resolve,
    values: Values<'a>,
    drops: Drops<'a>,
    functions: Vec<DeniedFunction>,
}

/// A function of the module.
struct DeniedFunction {
    /// The name of its export.
    export: String,
    /// The name in backtraces.
    name: String,
    signature: WasmSignature,
    arguments: DropCode,
    answer: Answer,
}

impl<'a> DenyModule<'a> {
    /// Encodes the module for the world `world` of `resolve`.
    pub(super) fn encode(resolve: &'a Resolve, world: wit_parser::WorldId) -> Option<Vec<u8>> {
        let world = resolve.worlds.get(world)?;
        let (values, drops) = (Values::new(resolve, DATA), Drops::new(resolve, world));
        let mut module = Self { resolve, values, drops, functions: Vec::new() };
        for (key, item) in &world.exports {
            if let WorldItem::Interface { id, .. } = item {
                for function in resolve.interfaces.get(*id)?.functions.values() {
                    module.add(key, function)?;
                }
            }
        }
        module.finish()
    }

    fn add(&mut self, key: &WorldKey, function: &wit_parser::Function) -> Option<()> {
        let interface = self.resolve.name_world_key(key);
        let signature = self.resolve.wasm_signature(AbiVariant::GuestExport, function);
        let path = interface.split_once('@').map_or(interface.as_str(), |(path, _)| path);
        let answer = match &function.result {
            Some(ty) if signature.retptr => {
                let empty = EMPTY.contains(&path).then(|| self.values.add_empty(ty)).flatten();
                empty.or_else(|| self.values.add_error(ty)).map_or(Answer::Trap, Answer::At)
            }
            // A `result` without values is its discriminant, of which 1 is the error.
            Some(ty) if self.values.result(ty).is_some_and(|result| result == (None, None)) => Answer::Discriminant(1),
            _ => Answer::Trap,
        };
        let kind = WasmExportKind::Normal;
        let export = WasmExport::Func { interface: Some(key), func: function, kind };
        self.functions.push(DeniedFunction {
            export: self.resolve.wasm_export_name(ABI, export),
            name: format!("{interface}.{}", function.name),
            arguments: self.drops.arguments(key, function, &signature)?,
            signature,
            answer,
        });
        Some(())
    }

    fn finish(self) -> Option<Vec<u8>> {
        let heap = DATA.checked_add(self.values.data().len())?.next_multiple_of(16);
        let pages = u64::try_from(heap.div_ceil(PAGE_BYTES)).ok()?;
        let heap = i32::try_from(heap).ok()?;
        let (mut types, mut imports) = (TypeSection::new(), ImportSection::new());
        types.ty().function([ValType::I32; 4], [ValType::I32]);
        types.ty().function([ValType::I32], []);
        for (module, name) in self.drops.imports() {
            imports.import(module, name, EntityType::Function(1));
        }
        let (mut functions, mut exports, mut code) = (FunctionSection::new(), ExportSection::new(), CodeSection::new());
        let (mut names, mut index) = (NameMap::new(), imports.len());
        functions.function(0);
        names.append(index, "realloc");
        exports.export(&self.resolve.wasm_export_name(ABI, WasmExport::Realloc), ExportKind::Func, index);
        code.function(&allocator());
        for function in &self.functions {
            index = index.checked_add(1)?;
            let signature = &function.signature;
            functions.function(types.len());
            types.ty().function(signature.params.iter().map(value_type), signature.results.iter().map(value_type));
            names.append(index, &function.name);
            exports.export(&function.export, ExportKind::Func, index);
            code.function(&body(function, heap)?);
        }
        exports.export(&self.resolve.wasm_export_name(ABI, WasmExport::Memory), ExportKind::Memory, 0);
        let (mut memories, mut globals, mut data) = (MemorySection::new(), GlobalSection::new(), DataSection::new());
        let memory64 = false;
        memories.memory(MemoryType { minimum: pages, maximum: None, memory64, shared: false, page_size_log2: None });
        let next = GlobalType { val_type: ValType::I32, mutable: true, shared: false };
        globals.global(next, &ConstExpr::i32_const(heap));
        data.active(0, &ConstExpr::i32_const(i32::try_from(DATA).ok()?), self.values.data().iter().copied());
        let mut module = Module::new();
        module.section(&types).section(&imports).section(&functions).section(&memories).section(&globals);
        module.section(&exports).section(&code).section(&data).section(&backtrace_names(&names));
        Some(module.finish())
    }
}

fn backtrace_names(functions: &NameMap) -> NameSection {
    let mut names = NameSection::new();
    names.module(MODULE);
    names.functions(functions);
    names
}

/// Returns the body of a function that drops the handles among its arguments, frees their memory, and gives its answer.
fn body(denied: &DeniedFunction, heap: i32) -> Option<Function> {
    let mut function = Function::new([(denied.arguments.locals, ValType::I32)]);
    denied.arguments.instructions.iter().for_each(|instruction| {
        function.instruction(instruction);
    });
    let mut code = function.instructions();
    code.i32_const(heap).global_set(NEXT);
    match denied.answer {
        Answer::At(address) => code.i32_const(i32::try_from(address).ok()?),
        Answer::Discriminant(discriminant) => code.i32_const(discriminant),
        Answer::Trap => code.unreachable(),
    };
    code.end();
    Some(function)
}

/// Returns `cabi_realloc`, which allocates the next bytes and grows the memory. It traps if the memory cannot grow.
fn allocator() -> Function {
    const ALIGN: u32 = 2;
    const SIZE: u32 = 3;
    const START: u32 = 4;
    const PAGES: u32 = 5;
    let mut function = Function::new([(2, ValType::I32)]);
    let mut code = function.instructions();
    // start = (next + align - 1) & -align
    code.global_get(NEXT).local_get(ALIGN).i32_add().i32_const(1).i32_sub();
    code.i32_const(0).local_get(ALIGN).i32_sub().i32_and().local_tee(START);
    // next = start + size, which must not wrap around
    code.local_get(SIZE).i32_add().global_set(NEXT);
    code.global_get(NEXT).local_get(START).i32_lt_u().if_(wasm_encoder::BlockType::Empty).unreachable().end();
    // pages = next / 64 KiB + 1 - memory.size
    code.global_get(NEXT).i32_const(16).i32_shr_u().i32_const(1).i32_add().memory_size(0).i32_sub().local_tee(PAGES);
    code.i32_const(0).i32_gt_s().if_(wasm_encoder::BlockType::Empty);
    code.local_get(PAGES).memory_grow(0).i32_const(-1).i32_eq();
    code.if_(wasm_encoder::BlockType::Empty).unreachable().end().end();
    code.local_get(START).end();
    function
}

/// Returns the type of a core value in the ABI.
pub(super) fn value_type(ty: &WasmType) -> ValType {
    match ty {
        WasmType::I32 | WasmType::Pointer | WasmType::Length => ValType::I32,
        WasmType::I64 | WasmType::PointerOrI64 => ValType::I64,
        WasmType::F32 => ValType::F32,
        WasmType::F64 => ValType::F64,
    }
}
