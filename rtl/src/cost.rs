//! Resources counted in the netlist: two-input gate equivalents of the operations, flip-flops, RAM bits. A quick estimate
//! without synthesis; constants and shared logic are not optimised away. `scripts/evidence` prints it beside yosys' counts.

use std::collections::BTreeSet;

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
        .map(|(module, (name, instances))| {
            let TotalCost { cells, flip_flops, ram_bits } = module_costs(module);
            ModuleCost { module: name, instances, cells, flip_flops, ram_bits }
        })
        .collect()
}

/// Resources of one module, children excluded.
pub fn module_costs(module: &Module) -> TotalCost {
    TotalCost {
        cells: module.ops.iter().map(|o| cells(module, &o.op, o.result)).sum(),
        flip_flops: module.register_bits(),
        ram_bits: module.rams.iter().map(|r| u64::from(r.shape.depth) * u64::from(r.shape.width)).sum(),
    }
}

/// Gate equivalents of an operation. A full adder counts 5, a 2:1 multiplexer 1 (yosys' generic library has it as a cell).
fn cells(module: &Module, op: &Op, result: NetId) -> u64 {
    let width = |net: NetId| u64::from(module.shape(net).width);
    let bits = width(result);
    let value = |net: NetId| {
        module.ops.iter().find_map(|o| match o.op {
            Op::Constant(value) if o.result == net => Some(value),
            _ => None,
        })
    };
    let constant = |net: NetId| value(net).is_some();
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
        Op::Select { choices, .. } => match choices.iter().map(|c| value(*c)).collect::<Option<Vec<u64>>>() {
            Some(values) => table_cells(&values, bits),
            None => bits * (choices.len() as u64 - 1),
        },
        Op::ShiftLeft { amount, .. } | Op::ShiftRight { amount, .. } => bits * width(*amount),
        Op::Slice { .. }
        | Op::Concat(_)
        | Op::Replicate(_)
        | Op::Extend(_)
        | Op::Truncate(_)
        | Op::Reinterpret(_)
        | Op::ShiftLeftConst { .. } => 0,
    }
}

/// Multiplexers of a table of constants: the nodes of its decision diagram. A part of the table that stands in it twice, or
/// in that of another bit, is there once; one that is an index bit or its complement is free.
fn table_cells(values: &[u64], bits: u64) -> u64 {
    let last = values[values.len() - 1];
    let padded = values.iter().copied().chain(std::iter::repeat(last)).take(values.len().next_power_of_two());
    let padded: Vec<u64> = padded.collect();
    let mut parts = BTreeSet::new();
    for bit in 0..bits {
        let table: Vec<bool> = padded.iter().map(|v| v >> bit & 1 == 1).collect();
        add_parts(&table, &mut parts);
    }
    parts.len() as u64
}

fn add_parts(table: &[bool], parts: &mut BTreeSet<Vec<bool>>) {
    let (low, high) = table.split_at(table.len() / 2);
    let is_constant = |part: &[bool]| part.iter().all(|entry| *entry == part[0]);
    if table.len() == 1 || is_constant(low) && is_constant(high) {
        return;
    }
    if low == high {
        add_parts(low, parts);
    } else if parts.insert(table.to_vec()) {
        add_parts(low, parts);
        add_parts(high, parts);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_cost_their_different_parts() {
        let table = |f: fn(u64) -> u64, bits| table_cells(&(0..8).map(f).collect::<Vec<_>>(), bits);
        // Index bits, constants.
        assert_eq!(table(|i| i, 3), 0);
        assert_eq!(table(|i| 7 - i, 3), 0);
        assert_eq!(table(|_| 5, 3), 0);
        // Parity of three: a multiplexer of the parity of two and its complement, a multiplexer each.
        assert_eq!(table(|i| (i.count_ones() & 1).into(), 1), 3);
        // And of three; the second bit is a part of the first.
        assert_eq!(table(|i| u64::from(i == 7) | u64::from(i & 3 == 3) << 1, 2), 2);
        // Behind the last entry it stands again.
        assert_eq!(table_cells(&[0, 1, 1], 1), table_cells(&[0, 1, 1, 1], 1));
    }
}
