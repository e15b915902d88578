//! Native code of a compiled netlist, made by Cranelift and run here: the only `unsafe` of this room.
//!
//! Why it is sound: functions have one parameter, the words, and `Lowering` writes loads and stores only at places of the
//! program or of its tables; their number is checked before every call. Indices of tables are limited to their length, and
//! offsets in a table are those of places. Code and functions live and die with their module.
#![allow(unsafe_code)]

use std::collections::BTreeMap;
use std::mem;

use cranelift_codegen::ir::{AbiParam, types::I64};
use cranelift_codegen::settings::{self, Configurable, Flags};
use cranelift_frontend::{FunctionBuilder, FunctionBuilderContext};
use cranelift_jit::{JITBuilder, JITModule};
use cranelift_module::{FuncId, Module, default_libcall_names};

use super::edge::{Group, State};
use super::lower::Lowering;
use super::plan::{Block, LONGEST, Plan, Source};
use super::run::Program;

type Function = unsafe extern "C" fn(*mut u64);

/// Functions before the edge, at it, and those that load the registers after the memories.
pub(super) struct Native {
    module: Option<JITModule>,
    settle: Vec<Function>,
    edge: Vec<Function>,
    load: Vec<Function>,
    /// Places that hold what they stand for after `settle`: others are not computed, or only at the edge.
    pub(super) settled: Vec<bool>,
    words: usize,
}

impl std::fmt::Debug for Native {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Native").field("words", &self.words).finish_non_exhaustive()
    }
}

impl Native {
    /// Compiles a program; appends its tables to the words. `None` on a host for which Cranelift makes no code.
    pub(super) fn new(
        program: &Program,
        constants: &BTreeMap<u32, u64>,
        outputs: Vec<u32>,
        state: &State,
        words: &mut Vec<u64>,
    ) -> Option<Native> {
        let source = &Source::new(program, constants, outputs, state);
        let plan = Plan::new(source);
        let lowering = Lowering::new(source, &plan, words.len());
        let mut maker = Maker::new()?;
        let compute = |maker: &mut Maker, functions: &[Vec<Block>]| -> Option<Vec<FuncId>> {
            functions.iter().map(|blocks| maker.function(|builder| lowering.compute(builder, blocks))).collect()
        };
        let settle = compute(&mut maker, &plan.settle)?;
        let edge = compute(&mut maker, &plan.edge)?;
        let parts = parts(source.state.groups());
        let load = parts.iter().map(|parts| maker.function(|builder| lowering.load(builder, parts)));
        let load = load.collect::<Option<Vec<_>>>()?;
        maker.module.finalize_definitions().ok()?;
        let found = |ids: Vec<FuncId>| {
            let functions = ids.into_iter().map(|id| {
                let code = maker.module.get_finalized_function(id);
                // SAFETY: the function was defined with this signature.
                unsafe { mem::transmute::<*const u8, Function>(code) }
            });
            functions.collect::<Vec<_>>()
        };
        let mut settled = vec![false; words.len()];
        (0..source.first()).for_each(|place| settled[place as usize] = true);
        source.outputs.iter().for_each(|&place| settled[place as usize] = true);
        let (settle, edge, load) = (found(settle), found(edge), found(load));
        words.extend(&lowering.appended);
        let module = Some(maker.module);
        Some(Native { module, settle, edge, load, settled, words: words.len() })
    }

    /// Computes the outputs.
    pub(super) fn settle(&self, words: &mut [u64]) {
        self.call(&self.settle, words);
    }

    /// Computes what registers and memories take at the edge.
    pub(super) fn edge(&self, words: &mut [u64]) {
        self.call(&self.edge, words);
    }

    /// Loads the registers, outside reset.
    pub(super) fn load(&self, words: &mut [u64]) {
        self.call(&self.load, words);
    }

    fn call(&self, functions: &[Function], words: &mut [u64]) {
        assert_eq!(words.len(), self.words);
        for function in functions {
            // SAFETY: see the top of this file.
            unsafe { function(words.as_mut_ptr()) }
        }
    }
}

impl Drop for Native {
    fn drop(&mut self) {
        if let Some(module) = self.module.take() {
            // SAFETY: nothing calls the functions any more.
            unsafe { module.free_memory() }
        }
    }
}

/// Registers for a function each.
fn parts(groups: &[Group]) -> Vec<Vec<(&Group, std::ops::Range<usize>)>> {
    let mut parts: Vec<Vec<(&Group, std::ops::Range<usize>)>> = vec![];
    let mut length = LONGEST;
    for group in groups {
        for start in (0..group.loads.len()).step_by(LONGEST) {
            let range = start..(start + LONGEST).min(group.loads.len());
            if length + range.len() > LONGEST {
                parts.push(vec![]);
                length = 0;
            }
            length += range.len();
            if let Some(last) = parts.last_mut() {
                last.push((group, range));
            }
        }
    }
    parts
}

/// A module under construction.
struct Maker {
    module: JITModule,
    context: cranelift_codegen::Context,
    builder_context: FunctionBuilderContext,
}

impl Maker {
    fn new() -> Option<Maker> {
        let mut flags = settings::builder();
        flags.set("opt_level", "speed").ok()?;
        flags.set("enable_verifier", if cfg!(debug_assertions) { "true" } else { "false" }).ok()?;
        let isa = cranelift_native::builder().ok()?.finish(Flags::new(flags)).ok()?;
        if isa.pointer_type() != I64 {
            return None;
        }
        let module = JITModule::new(JITBuilder::with_isa(isa, default_libcall_names()));
        Some(Maker { context: module.make_context(), builder_context: FunctionBuilderContext::new(), module })
    }

    fn function(&mut self, write: impl FnOnce(FunctionBuilder)) -> Option<FuncId> {
        self.context.func.signature = self.module.make_signature();
        self.context.func.signature.params.push(AbiParam::new(I64));
        let id = self.module.declare_anonymous_function(&self.context.func.signature).ok()?;
        write(FunctionBuilder::new(&mut self.context.func, &mut self.builder_context));
        self.module.define_function(id, &mut self.context).ok()?;
        self.module.clear_context(&mut self.context);
        Some(id)
    }
}
