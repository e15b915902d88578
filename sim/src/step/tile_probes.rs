//! Named values of the tile, in data-flow order, by the paths of the netlist.

use bitmosaic_mappings::BeatStream;
use bitmosaic_numerics::{DigitSet, f16, fp16};

use super::tile::{Origin, TileStep};
use crate::pe::{Arithmetic, Sum, Term};
use crate::probe::Probe;
use bitmosaic_arch::{BlockPe, PeWidths, TermOrder};

/// What the control logic decides in a cycle.
pub(super) struct Control {
    pub(super) moving: bool,
    pub(super) hold_free: bool,
    pub(super) capture: bool,
    pub(super) advance: bool,
    pub(super) step: bool,
    pub(super) load: bool,
}

/// Defined values of this cycle, before its edge.
pub(super) fn collect(tile: &TileStep<'_>, control: &Control) -> Vec<Probe> {
    let machine = tile.machine;
    let (rows, lanes) = (machine.tile.rows as usize, machine.pe.lanes as usize);
    let mask = |value: i64, bits: u32| value as u64 & (u64::MAX >> (64 - bits));
    let units = &tile.scale_units;
    let mut probes = Vec::new();
    let mut push = |path: &str, module: &'static str, value: u64| probes.push(Probe::new(path, module, value));
    push("u_drain.output_valid_q", "drain_control", u64::from(units.output.is_some()));
    push("u_drain.draining_q", "drain_control", u64::from(units.group.remaining > 0));
    let (read, write) = (machine.scale_unit.read_stage(), machine.scale_unit.write_stage());
    if machine.scale_unit.accumulator_blocks > 1 {
        for (stage, (flags, _)) in (1..=write).zip(&units.stages) {
            if let Some(flags) = flags {
                push(&format!("u_drain.address_{stage}_q"), "drain_control", u64::from(flags.address));
            }
        }
    } else if machine.scale_unit.step_registers > 0 {
        let in_flight = units.stages[read as usize..write as usize].iter().filter(|(flags, _)| flags.is_some());
        push("u_drain.in_flight_q", "drain_control", in_flight.count() as u64);
    }
    push("u_control.busy_q", "tile_control", u64::from(tile.busy));
    push("u_control.feeding_q", "tile_control", u64::from(tile.feeding));
    push("u_control.operand_valid_q", "tile_control", u64::from(tile.operand.valid));
    if tile.operand.valid {
        push("u_control.plane_q", "tile_control", u64::from(tile.operand.plane));
        push("u_control.operand_group_end_q", "tile_control", u64::from(tile.operand.group_end));
        push("u_control.operand_pass_end_q", "tile_control", u64::from(tile.operand.pass_end));
        if machine.pe.order == TermOrder::PlaneMajor {
            push("u_control.operand_next_plane_q", "tile_control", u64::from(tile.operand.next_plane));
        }
    }
    push("u_control.moving", "tile_control", u64::from(control.moving));
    let left = units.group.remaining;
    let issue = control.moving && left > 0 && left <= machine.scale_unit.ring_entries();
    push("u_drain.issue", "drain_control", u64::from(issue));
    push("u_drain.hold_free", "drain_control", u64::from(control.hold_free));
    push("u_control.capture", "tile_control", u64::from(control.capture));
    push("u_control.advance", "tile_control", u64::from(control.advance));
    push("u_control.step", "tile_control", u64::from(control.step));
    push("u_control.load", "tile_control", u64::from(control.load));
    if tile.operand.valid {
        for (column, terms) in tile.terms.chunks(lanes).enumerate() {
            let (set, bits) = (machine.pe.digit_set, machine.pe.digit_bits);
            let encode = |term: &Term| match term {
                Term::Digit(digit) => mask(set.encode(*digit).into(), bits),
                Term::Number(number) => decoded(*number),
            };
            let mut beat = BeatStream::new(bits * terms.len() as u32);
            beat.push_fields(terms.iter().map(|term| (encode(term), bits)));
            let module = if set == DigitSet::Fp16 { "weight_decoder" } else { "term_generator" };
            let channel = tile.operand.origin.1 + column as u32;
            for (word, value) in beat.beat(0).iter().copied().enumerate() {
                let column_probe = Probe::new(format!("u_term_{column}.digit_o"), module, value);
                probes.push(Probe { column: Some((column as u32, channel)), word, ..column_probe });
            }
        }
        if let PeWidths::Block(BlockPe { triple_bits: bits @ 1.., .. }) = machine.pe.kind {
            for (i, activation) in tile.operand.activations.iter().enumerate() {
                let (row, lane) = ((i / lanes) as u32, i % lanes);
                let triple = mask(3 * i64::from(*activation), bits);
                let probe = Probe::new(format!("triple_{row}_{lane}"), "tile", triple);
                probes.push(Probe { row: Some((row, tile.operand.origin.0 + row)), ..probe });
            }
        }
    }
    let oldest = tile.pipeline.last().copied().flatten();
    let module = match tile.arithmetic {
        Arithmetic::Block { .. } => "block_pe",
        Arithmetic::Float(_) => "float_pe",
        Arithmetic::Int { .. } => "int_pe",
        Arithmetic::Mac(_) => "mac_pe",
    };
    let group = &tile.scale_units.group;
    let dequantized = group.remaining > 0 && group.remaining <= machine.scale_unit.ring_entries();
    let (tree_bits, held_bits) = match &machine.pe.kind {
        PeWidths::Block(block) => (block.tree_bits, machine.pe.accumulator_bits),
        PeWidths::Int(int) => (int.tree_bits, machine.pe.accumulator_bits),
        PeWidths::Float(float) | PeWidths::Mac(float) => (float.sum_bits, float.held_bits),
    };
    for (i, pe) in tile.pes.iter().enumerate() {
        let (column, row) = ((i / rows) as u32, (i % rows) as u32);
        let mut push = |name: &str, value: Sum, bits: u32, (token, channel): Origin| {
            let path = format!("u_pe_{row}_{column}.{name}");
            let place = (Some((row, token + row)), Some((column, channel + column)));
            let probe = Probe { row: place.0, column: place.1, ..Probe::new(format!("{path}_q"), module, 0) };
            probes.push(Probe { value: mask(value.significand, bits), ..probe.clone() });
            if machine.pe.kind.float().is_some() {
                let path = format!("{path}_exponent_q");
                probes.push(Probe { path, value: u64::from(value.exponent), ..probe });
            }
        };
        if let Some(flags) = oldest {
            let mut tree = pe.tree;
            if module == "block_pe" {
                tree.significand -= i64::from(pe.carry);
                push("carry", Sum { significand: pe.carry.into(), exponent: 0 }, 1, flags.origin);
            }
            push("tree", tree, tree_bits, flags.origin);
        }
        if let Some(origin) = tile.accumulated {
            push("accumulator", pe.accumulator, machine.pe.accumulator_bits, origin);
        }
        if dequantized {
            push("hold", pe.hold, held_bits, group.origin);
        }
    }
    if control.moving && dequantized {
        slot_metadata(tile, &mut probes);
    }
    // Stages count from 1.
    let stage = |number: u32| {
        let (flags, data) = &tile.scale_units.stages[number as usize - 1];
        flags.is_some().then_some(data)
    };
    for unit in 0..machine.scale_unit.units as usize {
        let mut push = |name: String, module: &'static str, value: u64| probes.push(Probe::new(name, module, value));
        if tile.scale_units.decode.0.is_some() {
            let data = tile.scale_units.decode.1[unit];
            push(format!("u_decode_{unit}.sum_q"), "scale_decoder", mask(data.product, machine.pe.accumulator_bits));
            push(format!("u_decode_{unit}.significand_q"), "scale_decoder", u64::from(data.significand));
            push(format!("u_decode_{unit}.exponent_q"), "scale_decoder", u64::from(data.exponent));
        }
        if let Some(data) = stage(1) {
            let product = mask(data[unit].product, machine.scale_unit.product_bits);
            push(format!("u_scale_{unit}.product_q"), "scale_unit", product);
            push(format!("u_scale_{unit}.exponent_q"), "drain_control", u64::from(data[unit].exponent));
            // Channel scales are loaded with the last group of a pass.
            if tile.scale_units.stages[0].0.is_some_and(|flags| flags.output) {
                let carried = u64::from(data[unit].channel) | u64::from(data[unit].non_finite) << 16;
                push(format!("u_scale_{unit}.carried_1_q"), "drain_control", carried);
            }
        }
        if let Some(data) = stage(read) {
            push(format!("u_scale_{unit}.value_q"), "scale_unit", u64::from(data[unit].value.to_bits()));
        }
        if let Some(data) = stage(write) {
            let sum = data[unit].accumulator + data[unit].value;
            push(format!("u_scale_{unit}.accumulator_d"), "scale_unit", u64::from(sum.to_bits()));
        }
        // Rounded in the cycle after the multiplication's, or one later.
        if let Some(data) = stage(write + 2 + machine.scale_unit.step_registers) {
            let product = data[unit].value * f16::from_bits(data[unit].channel).to_f32();
            // The unit carries the product on with FP16's exponent bias; of zero it keeps no exponent.
            if product != 0.0 {
                let bits = u64::from(product.to_bits());
                let field = (bits >> 23 & 0xFF).wrapping_sub(127 - 15) & 0x7FF;
                push(format!("u_output_{unit}.single"), "output_stage", field << 23 | bits & 0x7F_FFFF);
            }
        }
        if let Some((_, values)) = &tile.scale_units.output {
            push(format!("u_output_{unit}.output_q"), "output_stage", u64::from(values[unit]));
        }
    }
    probes
}

/// An FP16 number as it goes to the lanes: significand, exponent, sign.
fn decoded(number: f16) -> u64 {
    let decoded = fp16::decode(number);
    let sign = u64::from(number.is_sign_negative());
    u64::from(decoded.significand.unsigned_abs()) | u64::from(decoded.exponent) << 11 | sign << 16
}

/// What drain control gives the scale units for the slot that leaves in this cycle.
fn slot_metadata(tile: &TileStep<'_>, probes: &mut Vec<Probe>) {
    let (machine, group) = (tile.machine, &tile.scale_units.group);
    let index = machine.scale_unit.ring_entries() - group.remaining;
    let mask = |value: i64, bits: u32| value as u64 & (u64::MAX >> (64 - bits));
    // The module that a slot enters.
    let first = if machine.scale_unit.decode_cycles > 0 { "u_decode" } else { "u_scale" };
    for unit in 0..machine.scale_unit.units {
        let Some((row, column)) = machine.pe_of_unit(unit, index) else { continue };
        let mut push = |port: &str, value: u64| {
            let place = Probe::new(format!("{first}_{unit}.{port}"), "drain_control", value);
            let (token, channel) = (group.origin.0 + row, group.origin.1 + column);
            probes.push(Probe { row: Some((row, token)), column: Some((column, channel)), ..place });
        };
        if machine.scale_unit.dequantize_cycles == 0 {
            let ((code, zero), (exponent, sum)) = (group.scales[column as usize], group.exponents[row as usize]);
            push("scale_i", u64::from(code));
            if machine.pe.kind.float().is_none() {
                push("exponent_i", u64::from(exponent));
            }
            if machine.zero_point_bits > 0 {
                push("zero_point_i", mask(zero, machine.zero_point_bits));
                push("activation_sum_i", mask(sum, machine.activation_sum_bits));
            }
        }
        push("non_finite_i", u64::from(group.non_finite[row as usize]));
        if group.pass_end {
            push("channel_i", u64::from(group.channels[column as usize]));
        }
    }
}
