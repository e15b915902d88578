//! Resources counted in the netlist: two-input gate equivalents of the operations, flip-flops, RAM bits. A quick estimate
//! without synthesis; constants and shared logic are not optimised away. `scripts/evidence` prints it beside yosys' counts.

use crate::netlist::{Design, Module, NetId, Op};

/// Resources of one module, children excluded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModuleCost {
    /// Module.
    pub module: String,
    /// Instances in the whole design.
    pub instances: u64,
    /// Two-input gate equivalents of one instance.
    pub cells: u64,
    /// Flip-flops of one instance.
    pub flip_flops: u64,
    /// RAM bits of one instance.
    pub ram_bits: u64,
}

/// A flip-flop in two-input gates: Nangate's open 45 nm library has DFF_X1 at 4.52 µm² and NAND2_X1 at 0.80 µm².
pub const GATES_PER_FLIP_FLOP: u64 = 6;

/// Resources of whole units.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TotalCost {
    /// Two-input gate equivalents of the operations.
    pub cells: u64,
    /// Flip-flops.
    pub flip_flops: u64,
    /// RAM bits.
    pub ram_bits: u64,
}

impl TotalCost {
    /// One number for the logic: cells and flip-flops in two-input gates; RAM is not in it.
    pub fn gate_equivalents(&self) -> u64 {
        self.cells + GATES_PER_FLIP_FLOP * self.flip_flops
    }
}

/// Resources of these units together, every instance counted.
pub fn total_cost<'a>(designs: impl Iterator<Item = &'a Design>) -> TotalCost {
    designs.flat_map(cost).fold(TotalCost::default(), |total, m| TotalCost {
        cells: total.cells + m.instances * m.cells,
        flip_flops: total.flip_flops + m.instances * m.flip_flops,
        ram_bits: total.ram_bits + m.instances * m.ram_bits,
    })
}

/// Costs of every module, leaves first.
pub fn cost(design: &Design) -> Vec<ModuleCost> {
    let counts = design.instance_counts();
    design
        .modules_in_order()
        .iter()
        .zip(counts)
        .map(|(module, (name, instances))| ModuleCost {
            module: name,
            instances,
            cells: module.ops.iter().map(|o| cells(module, &o.op, o.result)).sum(),
            flip_flops: module.register_bits(),
            ram_bits: module.rams.iter().map(|r| u64::from(r.shape.depth) * u64::from(r.shape.width)).sum(),
        })
        .collect()
}

/// Gate equivalents of an operation. A full adder counts 5, a 2:1 multiplexer 1 (yosys' generic library has it as a cell).
fn cells(module: &Module, op: &Op, result: NetId) -> u64 {
    let width = |net: NetId| u64::from(module.shape(net).width);
    let bits = width(result);
    let constant = |net: NetId| module.ops.iter().any(|o| o.result == net && matches!(o.op, Op::Constant(_)));
    match op {
        Op::Constant(_) => 0,
        Op::Not(a) => width(*a),
        Op::And(..) | Op::Or(..) | Op::Xor(..) => bits,
        Op::ReduceOr(a) | Op::ReduceAnd(a) | Op::ReduceXor(a) => width(*a) - 1,
        Op::Add(a, b) | Op::Sub(a, b) => {
            // Above the narrower operand, or against a constant, a half adder remains.
            let (narrow, wide) = (width(*a).min(width(*b)), width(*a).max(width(*b)));
            if constant(*a) || constant(*b) { 2 * wide } else { 5 * narrow + 2 * (wide - narrow) }
        }
        Op::Negate(a) => 3 * width(*a),
        Op::Mul(a, b) => 6 * width(*a) * width(*b),
        Op::Eq(a, _) | Op::Ne(a, _) => 2 * width(*a) - 1,
        Op::Lt(a, b) => 3 * width(*a).max(width(*b)),
        Op::Mux { .. } => bits,
        Op::Select { choices, .. } => bits * (choices.len() as u64 - 1),
        Op::ShiftLeft { a, amount } | Op::ShiftRight { a, amount } if !constant(*a) => bits * width(*amount),
        // A constant shifted by a code is a table: one bit of each output, half of the multiplexers fold away.
        Op::ShiftLeft { amount, .. } | Op::ShiftRight { amount, .. } => 4 * width(*amount),
        Op::Slice { .. }
        | Op::Concat(_)
        | Op::Replicate(_)
        | Op::Extend(_)
        | Op::Truncate(_)
        | Op::Reinterpret(_)
        | Op::ShiftLeftConst { .. } => 0,
    }
}
