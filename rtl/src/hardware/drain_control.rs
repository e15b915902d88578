//! Drain control: holds the metadata of the group in the hold chains and walks its slots through the scale units.

use bitmosaic_arch::{EXPONENT_BITS, Machine};

use super::index_bits;
use crate::netlist::{Module, ModuleBuilder, Net, NetlistError};

/// Module `drain_control`.
pub(super) fn drain_control(machine: &Machine) -> Result<Module, NetlistError> {
    let (rows, columns) = (machine.tile.rows, machine.tile.columns);
    let unit = &machine.scale_unit;
    let mut m = ModuleBuilder::new(
        "drain_control",
        &format!(
            "Drain control: a finished group takes {} cycles in which the PEs multiply by the scale code and {} slots,\n\
             one a cycle, through {} scale unit(s) of {} PEs; the metadata of the group stays here meanwhile.",
            unit.dequantize_cycles,
            unit.ring_entries(),
            unit.units,
            unit.pes
        ),
    );
    let capture = m.input("capture_i", 1, "a finished group enters the hold chains");
    let advance = m.input("advance_i", 1, "the scale units move");
    let first_group = m.input("first_group_i", 1, "the group is the first of its pass");
    let pass_end = m.input("pass_end_i", 1, "the group is the last of its pass");
    let last = m.input("last_i", 1, "the pass is the last of its command");
    let place = unit.accumulator_address_bits().map(|bits| {
        let doc = "the accumulators go on from the command before";
        (
            bits,
            m.input("continues_i", 1, doc),
            m.input("block_i", index_bits(unit.accumulator_blocks), "pass of the group"),
        )
    });
    let scale = m.input("scale_i", machine.tile.scale_beat_bits, "group scale code and zero point a column");
    let exponent = machine
        .tile
        .exponent_beat_bits
        .map(|bits| m.input("exponent_i", bits, "shared exponent, non-finite flag and sum of activations a row"));
    let row_bits = machine.tile.exponent_field_bits;
    let flags = match exponent {
        Some(exponent) => {
            let flags: Vec<Net> = (0..rows).map(|r| m.bit(exponent, r * row_bits + EXPONENT_BITS)).collect();
            m.concat(&flags)
        }
        None => m.input("non_finite_i", rows, "the group has a NaN or an infinity, a row"),
    };
    let channel = m.input("channel_i", machine.tile.channel_beat_bits, "FP16 channel scale a column");
    let enable = Some(capture);
    let column_bits = machine.tile.scale_field_bits;

    // Metadata. Where the PEs multiply, the scale codes leave bit by bit, the highest first.
    let multiplies = unit.dequantize_cycles == 0;
    let dequantize = (!multiplies).then(|| m.wire("dequantize", 1, "the PEs take a bit of their scale codes"));
    let scale = if let Some(dequantize) = dequantize {
        let register = m.register("scale_q", scale.width, false, "group scale codes, moved up as their bits leave");
        let zero = m.constant(0, 1);
        let moved: Vec<Net> = (0..columns)
            .map(|c| {
                let low = m.slice(register, c * 8, 7);
                m.concat(&[zero, low])
            })
            .collect();
        let next: Vec<Net> = (0..columns)
            .map(|c| {
                let fresh = m.slice(scale, c * 8, 8);
                m.mux(capture, fresh, moved[c as usize])
            })
            .collect();
        let next = m.concat(&next);
        let changes = m.or(capture, dequantize);
        m.drive(register, next, Some(changes), None);
        let bits: Vec<Net> = (0..columns).map(|c| m.bit(register, c * 8 + 7)).collect();
        let bits = m.concat(&bits);
        m.output("dequantize_o", dequantize, "the PEs take a bit of their scale codes");
        m.output("scale_bit_o", bits, "that bit, a column");
        register
    } else {
        m.reg("scale_q", scale, enable, None, "group scale codes and zero points")
    };
    let exponents = exponent.map(|exponent| {
        let exponents: Vec<Net> = (0..rows).map(|r| m.slice(exponent, r * row_bits, EXPONENT_BITS)).collect();
        let exponents = m.concat(&exponents);
        m.reg("exponent_q", exponents, enable, None, "shared exponents")
    });
    let sums = exponent.filter(|_| machine.activation_sum_bits > 0).map(|exponent| {
        let sum_bits = machine.activation_sum_bits;
        let sums: Vec<Net> = (0..rows).map(|r| m.slice(exponent, r * row_bits + EXPONENT_BITS + 1, sum_bits)).collect();
        let sums = m.concat(&sums);
        m.reg("activation_sum_q", sums, enable, None, "sums of the activations")
    });
    let non_finite = m.register("non_finite_q", rows, false, "a non-finite activation was seen in the pass");
    let first_rows = m.replicate(first_group, rows);
    let later_rows = m.not(first_rows);
    let kept = m.and(later_rows, non_finite);
    let seen = m.or(flags, kept);
    let seen = m.name(seen, "non_finite_d", "flags of the pass with this group");
    m.drive(non_finite, seen, enable, None);
    let loads_channel = m.and(capture, pass_end);
    let loads_channel = m.name(loads_channel, "loads_channel", "the last group of a pass enters");
    let channel = m.reg("channel_q", channel, Some(loads_channel), None, "channel scales");
    let first_group = match place {
        None => first_group,
        Some((_, continues, _)) => {
            let fresh = m.not(continues);
            m.and(first_group, fresh)
        }
    };
    let first_group = m.reg("first_group_q", first_group, enable, None, "its accumulators start from zero");
    let block = place.map(|(bits, _, block)| (bits, m.reg("block_q", block, enable, None, "its pass")));
    let pass_end = m.reg("pass_end_q", pass_end, enable, None, "last group of its pass");
    let last = m.reg("last_q", last, enable, None, "last group of its command");

    // Slots. `slot_q` counts them, `row_q` and `column_q` follow within the columns of a unit.
    let bits = index_bits(unit.slots);
    let slot = m.register("slot_q", bits, false, "slot that leaves next");
    let draining = m.register("draining_q", 1, false, "slots are left");
    let final_slot = m.constant(u64::from(unit.slots - 1), bits);
    let at_final = m.eq(slot, final_slot);
    let walk = m.and(draining, advance);
    let issue = match dequantize {
        None => walk,
        Some(dequantize) => {
            let limit = m.constant(u64::from(unit.dequantize_cycles), bits);
            let early = m.lt(slot, limit);
            let late = m.not(early);
            let bit_leaves = m.and(walk, early);
            m.assign(dequantize, bit_leaves);
            m.and(walk, late)
        }
    };
    let issue = m.name(issue, "issue", "a slot leaves: the hold chains shift");
    let leaves = m.and(walk, at_final);
    let idle = m.not(draining);
    let hold_free = m.or(idle, leaves);
    let hold_free = m.name(hold_free, "hold_free", "a finished group may enter at this edge");
    m.output("hold_free_o", hold_free, "a finished group may enter at this edge");
    m.output("issue_o", issue, "a slot leaves: the hold chains shift");
    let stays = m.not(at_final);
    let next_draining = m.or(capture, stays);
    let changes = m.or(capture, walk);
    m.drive(draining, next_draining, Some(changes), Some(0));
    let next_slot = count(&mut m, slot, unit.slots);
    let next_slot = clear(&mut m, capture, next_slot);
    m.drive(slot, next_slot, Some(changes), None);
    let rows_walked = rows.min(unit.pes);
    let row = m.register("row_q", index_bits(rows_walked), false, "row of the slot, counted from the unit's first");
    let next_row = count(&mut m, row, rows_walked);
    let next_row = clear(&mut m, capture, next_row);
    let changes = m.or(capture, issue);
    m.drive(row, next_row, Some(changes), None);
    let columns_walked = unit.pes.div_ceil(rows);
    let column = (columns_walked > 1).then(|| {
        let column = m.register("column_q", index_bits(columns_walked), false, "column of the slot, likewise");
        let wraps = m.constant(u64::from(rows_walked - 1), row.width);
        let wraps = m.eq(row, wraps);
        let next = count(&mut m, column, columns_walked);
        let next = m.mux(wraps, next, column);
        let next = clear(&mut m, capture, next);
        m.drive(column, next, Some(changes), None);
        column
    });

    // What each unit's slot needs.
    let (mut scales, mut zero_points, mut slot_sums) = (vec![], vec![], vec![]);
    let (mut slot_exponents, mut channels, mut flags) = (vec![], vec![], vec![]);
    for u in 0..unit.units {
        let first = u * unit.pes;
        let (first_row, first_column) = (first % rows, first / rows);
        // `bits` bits at `low` of each column's `stride`.
        let column_values = |m: &mut ModuleBuilder, bus: Net, stride: u32, low: u32, bits: u32| {
            let columns = first_column..first_column + columns_walked;
            let choices: Vec<Net> = columns.map(|c| m.slice(bus, c * stride + low, bits)).collect();
            column.map_or(choices[0], |index| m.select(index, &choices))
        };
        if multiplies {
            let (code_bits, zero_bits) = (machine.scale_code_bits, machine.zero_point_bits);
            scales.push(column_values(&mut m, scale, column_bits, 0, code_bits));
            if zero_bits > 0 {
                zero_points.push(column_values(&mut m, scale, column_bits, code_bits, zero_bits));
            }
        }
        channels.push(column_values(&mut m, channel, 16, 0, 16));
        let row_values = |m: &mut ModuleBuilder, bus: Net, bits: u32| {
            let choices: Vec<Net> =
                (first_row..first_row + rows_walked).map(|r| m.slice(bus, r * bits, bits)).collect();
            m.select(row, &choices)
        };
        if let Some(exponents) = exponents {
            slot_exponents.push(row_values(&mut m, exponents, EXPONENT_BITS));
        }
        if let Some(sums) = sums {
            slot_sums.push(row_values(&mut m, sums, machine.activation_sum_bits));
        }
        flags.push(row_values(&mut m, non_finite, 1));
    }
    for (name, values, doc) in [
        ("slot_scale_o", &scales, "group scale code of each unit's slot"),
        ("slot_zero_point_o", &zero_points, "zero point of each unit's slot"),
        ("slot_activation_sum_o", &slot_sums, "sum of the activations of each unit's slot"),
        ("slot_exponent_o", &slot_exponents, "shared exponent of each unit's slot"),
        ("slot_channel_o", &channels, "channel scale of each unit's slot"),
        ("slot_non_finite_o", &flags, "non-finite flag of each unit's slot"),
    ] {
        if values.is_empty() {
            continue;
        }
        let bus = m.concat(values);
        m.output(name, bus, doc);
    }
    debug_assert!(columns >= unit.units * unit.pes / rows);

    // Flags that move with a slot: valid in stages 1 to 3, output and last up to the output register.
    let enable = Some(advance);
    let one = m.constant(1, 1);
    let after = unit.dequantize_cycles + unit.pes;
    let real = if unit.slots > after {
        let pes = m.constant(u64::from(after), bits);
        m.lt(slot, pes)
    } else {
        one
    };
    let final_pe = m.constant(u64::from(after - 1), bits);
    let at_final_pe = m.eq(slot, final_pe);
    let output = m.and_all(&[issue, pass_end, real]);
    let output = m.name(output, "output_d", "the slot is an output");
    let finishes = m.and_all(&[output, last, at_final_pe]);
    let finishes = m.name(finishes, "finish_d", "the slot ends its command");
    let (mut entering, mut entering_first) = (issue, first_group);
    for _ in 0..unit.decode_cycles {
        entering = m.reg("valid_0_q", entering, enable, Some(0), "the decode stage is valid");
        entering_first = m.reg("first_group_0_q", entering_first, enable, None, "decode stage: first group");
    }
    let (read_stage, write_stage) = (unit.read_stage(), unit.write_stage());
    let mut valid = Vec::new();
    for stage in 1..=write_stage {
        let doc = format!("stage {stage} is valid");
        entering = m.reg(&format!("valid_{stage}_q"), entering, enable, Some(0), &doc);
        valid.push(entering);
    }
    if let Some((bits, block)) = block {
        let doc = format!("stage {} is valid", read_stage - 1);
        m.output("read_o", valid[read_stage as usize - 2], &doc);
        let index = match unit.dequantize_cycles {
            0 => slot,
            cycles => {
                let before = m.constant(u64::from(cycles), slot.width);
                let index = m.sub(slot, before);
                let index = m.truncate(index, slot.width);
                m.as_unsigned(index)
            }
        };
        let index = m.slice(index, 0, bits - block.width);
        let mut address = m.concat(&[index, block]);
        for stage in 1 - unit.decode_cycles..=write_stage {
            let doc = format!("stage {stage}: place of the slot's accumulator");
            address = m.reg(&format!("address_{stage}_q"), address, enable, None, &doc);
            if stage + 1 == read_stage {
                m.output("read_address_o", address, &doc);
            }
        }
        m.output("write_address_o", address, &format!("stage {write_stage}: the same"));
    }
    for stage in 1..=read_stage {
        let doc = format!("stage {stage}: first group");
        entering_first = m.reg(&format!("first_group_{stage}_q"), entering_first, enable, None, &doc);
    }
    let doc = format!("stage {read_stage}: the accumulator counts as zero");
    m.output("first_group_o", entering_first, &doc);
    m.output("write_o", entering, &format!("stage {write_stage} is valid"));
    if unit.step_registers > 0 && block.is_none() {
        // Those valid now between the reading stage and the last but one will be after it.
        let bits = index_bits(unit.loop_cycles);
        let ahead = &valid[read_stage as usize - 1..write_stage as usize - 1];
        let first = m.extend(ahead[0], bits);
        let count = ahead[1..].iter().fold(first, |count, valid| {
            let valid = m.extend(*valid, bits);
            let count = m.add(count, valid);
            m.truncate(count, bits)
        });
        let doc = format!("valid stages from {} to {write_stage}", read_stage + 1);
        let in_flight = m.reg("in_flight_q", count, enable, Some(0), &doc);
        m.output("in_flight_o", in_flight, "slots that have read their accumulators and not written them");
    }
    let (mut output, mut finishes) = (output, finishes);
    for stage in 1..unit.output_latency_cycles {
        output = m.reg(&format!("output_{stage}_q"), output, enable, Some(0), "the slot is an output");
        finishes = m.reg(&format!("finish_{stage}_q"), finishes, enable, Some(0), "the slot ends its command");
    }
    let output = m.reg("output_valid_q", output, enable, Some(0), "the output register holds a beat");
    let finishes = m.reg("output_last_q", finishes, enable, Some(0), "the beat ends its command");
    m.output("output_valid_o", output, "the output register holds a beat");
    m.output("output_last_o", finishes, "the beat ends its command");
    m.finish()
}

/// `value + 1`, back to zero from `count - 1`.
fn count(m: &mut ModuleBuilder, value: Net, count: u32) -> Net {
    let one = m.constant(1, value.width);
    let next = m.add(value, one);
    let next = m.truncate(next, value.width);
    if count == 1 << value.width {
        return next;
    }
    let last = m.constant(u64::from(count - 1), value.width);
    let wraps = m.eq(value, last);
    clear(m, wraps, next)
}

/// Zero where `clear`, else `value`.
fn clear(m: &mut ModuleBuilder, clear: Net, value: Net) -> Net {
    let zero = m.constant(0, value.width);
    m.mux(clear, zero, value)
}
