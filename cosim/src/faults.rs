//! Faults: changes of one operation in the built netlist, in memory. No product code knows them. Every operation of every
//! module has its mutants ([`mutants`]); the ones worth a name are in [`FAULTS`].

use bitmosaic_rtl::hardware::Units;
use bitmosaic_rtl::netlist::{Design, Module, NetId, NetlistError, Op};

/// A fault with a name.
#[derive(Debug, Clone, Copy)]
pub struct Fault {
    /// Name.
    pub name: &'static str,
    /// Module that is changed.
    pub module: &'static str,
    /// Net whose operation gets its first mutant.
    pub net: &'static str,
}

const fn fault(name: &'static str, module: &'static str, net: &'static str) -> Fault {
    Fault { name, module, net }
}

/// The named faults.
pub const FAULTS: &[Fault] = &[
    fault("lane-sign-or", "block_pe", "product_0"),
    fault("last-lane-sign-or", "block_pe", "product_7"),
    fault("special-digit-of-another-selector", "term_generator", "special_digit"),
    fault("pe-pipeline-never-waits", "tile_control", "advance"),
    fault("group-ends-without-metadata", "tile_control", "capture"),
    fault("scale-units-move-while-blocked", "tile_control", "moving"),
    fault("chunk-loads-into-a-full-register", "tile_control", "load"),
    fault("step-without-operands", "tile_control", "step"),
    fault("restart-on-any-command", "tile_control", "start"),
    fault("hold-chains-free-too-early", "drain_control", "hold_free"),
    fault("slots-leave-while-blocked", "drain_control", "issue"),
    fault("exact-zero-not-positive", "scale_unit", "accumulator_d"),
    fault("exponent-without-fraction-bits", "output_stage", "field"),
    fault("aligner-overwrites", "aligner", "take"),
    fault("aligner-reads-an-empty-buffer", "aligner", "fetch"),
];

/// An operation of one of the machine's units.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mutant {
    /// Module.
    pub module: String,
    /// Net that the operation drives.
    pub net: String,
    /// Index of the operation in the module.
    pub operation: usize,
    /// What replaces it.
    pub op: Op,
}

/// Every mutant of both units, modules in order. Those that break a rule of the netlist are left out.
pub fn mutants(units: &Units) -> Vec<Mutant> {
    units.designs().flat_map(Design::modules_in_order).flat_map(mutants_of_module).collect()
}

/// The mutant of a named fault.
pub fn mutant_of(units: &Units, fault: &Fault) -> Option<Mutant> {
    let module = units.designs().find_map(|design| design.module(fault.module))?;
    mutants_of_module(module).into_iter().find(|m| m.net == fault.net)
}

/// Plants a mutant.
///
/// # Errors
/// A combinational loop through instances, or another broken rule.
pub fn plant(units: &mut Units, mutant: &Mutant) -> Result<(), NetlistError> {
    for design in units.designs_mut() {
        let Some(module) = design.module_mut(&mutant.module) else { continue };
        module.ops[mutant.operation].op = mutant.op.clone();
        design.relink();
        design.check()?;
    }
    Ok(())
}

fn mutants_of_module(module: &Module) -> Vec<Mutant> {
    let mut changed = module.clone();
    let mut all = Vec::new();
    for (operation, driver) in module.ops.iter().enumerate() {
        for op in mutants_of(module, &driver.op, driver.result) {
            changed.ops[operation].op = op.clone();
            if changed.check().is_ok() {
                let net = module.nets[driver.result.index()].name.clone();
                all.push(Mutant { module: module.name.clone(), net, operation, op });
            }
        }
        changed.ops[operation].op = driver.op.clone();
    }
    all
}

/// Small changes of an operation that keep its shape.
fn mutants_of(module: &Module, op: &Op, result: NetId) -> Vec<Op> {
    let width = module.shape(result).width;
    match op {
        Op::Constant(value) => vec![Op::Constant(value ^ 1)],
        Op::Not(a) => vec![Op::Reinterpret(*a)],
        Op::And(a, b) => vec![Op::Or(*a, *b), Op::Reinterpret(*a), Op::Reinterpret(*b)],
        Op::Or(a, b) => vec![Op::And(*a, *b), Op::Reinterpret(*a), Op::Reinterpret(*b)],
        Op::Xor(a, b) => vec![Op::Or(*a, *b), Op::And(*a, *b)],
        Op::ReduceOr(a) => vec![Op::ReduceAnd(*a)],
        Op::ReduceAnd(a) => vec![Op::ReduceOr(*a)],
        Op::ReduceXor(a) => vec![Op::ReduceOr(*a)],
        Op::Add(a, b) | Op::Mul(a, b) => vec![Op::Extend(*a), Op::Extend(*b)],
        Op::Sub(a, b) => vec![Op::Sub(*b, *a)],
        Op::Negate(a) => vec![Op::Extend(*a)],
        Op::Eq(a, b) => vec![Op::Ne(*a, *b)],
        Op::Ne(a, b) => vec![Op::Eq(*a, *b)],
        Op::Lt(a, b) => vec![Op::Lt(*b, *a)],
        Op::Mux { select, when_true, when_false } => {
            vec![Op::Mux { select: *select, when_true: *when_false, when_false: *when_true }]
        }
        Op::Select { index, choices } => {
            let mut rotated = choices.clone();
            rotated.rotate_left(1);
            vec![Op::Select { index: *index, choices: rotated }]
        }
        Op::ShiftLeft { a, amount } => vec![Op::ShiftRight { a: *a, amount: *amount }],
        Op::ShiftRight { a, amount } => vec![Op::ShiftLeft { a: *a, amount: *amount }, Op::Reinterpret(*a)],
        Op::Slice { a, low } => {
            let up = low + width < module.shape(*a).width;
            let down = *low > 0;
            let moved = [(up, low + 1), (down && !up, low.saturating_sub(1))];
            moved.into_iter().filter(|(ok, _)| *ok).map(|(_, low)| Op::Slice { a: *a, low }).collect()
        }
        Op::Concat(_) | Op::Replicate(_) | Op::Extend(_) | Op::Truncate(_) | Op::Reinterpret(_) => vec![],
        Op::ShiftLeftConst { .. } => vec![],
    }
}
