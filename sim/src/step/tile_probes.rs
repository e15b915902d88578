//! Named values of the tile, in data-flow order, by the paths of the netlist.

use super::tile::TileStep;
use crate::probe::Probe;

/// Defined values of this cycle, before its edge.
pub(super) fn collect(tile: &TileStep<'_>) -> Vec<Probe> {
    let machine = tile.machine;
    let (rows, lanes) = (machine.tile.rows as usize, machine.pe.lanes as usize);
    let mask = |value: i64, bits: u32| value as u64 & (u64::MAX >> (64 - bits));
    let mut probes = Vec::new();
    if tile.operand.valid {
        for (column, digits) in tile.digits.chunks(lanes).enumerate() {
            let value = digits.iter().rev().fold(0, |word, digit| word << 3 | u64::from(digit.encode()));
            let column_probe = Probe::new(format!("u_term_{column}.digit_o"), "term_generator", value);
            probes.push(Probe { column: Some(column as u32), ..column_probe });
        }
    }
    let stages = tile.pipeline.len();
    let tree_valid = stages > 0 && tile.pipeline[stages - 1].is_some();
    let draining = tile.scale_units.group.remaining > 0;
    for (i, pe) in tile.pes.iter().enumerate() {
        let (column, row) = ((i / rows) as u32, (i % rows) as u32);
        let mut push = |name: &str, value: i64, bits: u32| {
            let probe = Probe::new(format!("u_pe_{row}_{column}.{name}"), "block_pe", mask(value, bits));
            probes.push(Probe { row: Some(row), column: Some(column), ..probe });
        };
        if tree_valid {
            push("tree_q", pe.tree, machine.pe.tree_bits);
        }
        if tile.accumulators_defined {
            push("accumulator_q", pe.accumulator, machine.pe.accumulator_bits);
        }
        if draining {
            push("hold_q", pe.hold, machine.pe.accumulator_bits);
        }
    }
    let stage = |index: usize| tile.scale_units.stages[index].0.is_some().then_some(&tile.scale_units.stages[index].1);
    for unit in 0..machine.scale_unit.units as usize {
        let mut push = |name: String, module: &'static str, value: u64| probes.push(Probe::new(name, module, value));
        if let Some(data) = stage(0) {
            let product = mask(data[unit].product, machine.scale_unit.product_bits);
            push(format!("u_scale_{unit}.product_q"), "scale_unit", product);
            push(format!("u_scale_{unit}.exponent_q"), "drain_control", u64::from(data[unit].exponent));
        }
        if let Some(data) = stage(1) {
            push(format!("u_scale_{unit}.value_q"), "scale_unit", u64::from(data[unit].value.to_bits()));
        }
        if let Some(data) = stage(2) {
            let sum = data[unit].accumulator + data[unit].value;
            push(format!("u_scale_{unit}.accumulator_d"), "scale_unit", u64::from(sum.to_bits()));
        }
        if let Some((_, values)) = &tile.scale_units.output {
            push(format!("u_output_{unit}.output_q"), "output_stage", u64::from(values[unit]));
        }
    }
    probes
}
