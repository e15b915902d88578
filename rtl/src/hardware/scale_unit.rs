//! Scale unit: group sum × scale significand -> binary32, added to the PE's binary32 accumulator, one PE a cycle.

use bitmosaic_arch::{ACCUMULATOR_BITS, Machine};

use super::float::{FRACTION, Step, gate, normalize, round_and_pack, shift_right_sticky};
use super::index_bits;
use crate::netlist::{Module, ModuleBuilder, Net, NetlistError};

/// Significand with three extra bits for rounding.
const SUM_BITS: u32 = FRACTION + 1 + 3;

/// Module `scale_unit`: multiply, convert, align and add, normalize and round.
pub(super) fn scale_unit(machine: &Machine) -> Result<Module, NetlistError> {
    let unit = &machine.scale_unit;
    let mut m = ModuleBuilder::new(
        "scale_unit",
        &format!(
            "Scale unit of {} processing elements: accumulator += group sum * scale, in binary32,\n\
             rounded to nearest even; one PE a cycle, the accumulators {}.",
            unit.pes,
            if unit.accumulator_blocks > 1 { "stand in a memory" } else { "rotate" }
        ),
    );
    let multiplies = unit.dequantize_cycles == 0;
    let sum_bits = if multiplies { machine.pe.accumulator_bits } else { unit.product_bits };
    let sum = m.input_signed("sum_i", sum_bits, "group sum at the head of the hold chain");
    let scale = multiplies.then(|| m.input("scale_i", unit.significand_bits, "significand of its group's scale"));
    let exponent = m.input("exponent_i", unit.exponent_bits, "exponent of the group sum");
    let channel = m.input("channel_i", 16, "FP16 channel scale of its column");
    let non_finite = m.input("non_finite_i", 1, "the token has a NaN or an infinity");
    let advance = m.input("advance_i", 1, "the pipeline moves");
    let (read_stage, write_stage) = (unit.read_stage(), unit.write_stage());
    let first = m.input("first_group_i", 1, &format!("stage {read_stage}: the accumulator counts as zero"));
    let doc = format!("stage {write_stage} is valid: its result goes back to the accumulators");
    let write = m.input("write_i", 1, &doc);
    let places = unit.accumulator_address_bits().map(|bits| {
        let doc = format!("stage {}: place of the slot's accumulator", read_stage - 1);
        let read = m.input("read_address_i", bits, &doc);
        let reads = m.input("read_i", 1, &format!("stage {} is valid", read_stage - 1));
        let reads = m.and(advance, reads);
        (bits, (reads, read), m.input("write_address_i", bits, &format!("stage {write_stage}: the same")))
    });
    let in_flight = (unit.step_registers > 0 && places.is_none()).then(|| {
        let doc = format!("valid stages from {} to {write_stage}", read_stage + 1);
        m.input("in_flight_i", index_bits(unit.loop_cycles), &doc)
    });
    let enable = Some(advance);
    let step = Step::new(unit.step_registers, advance);

    // Stage 1: multiply, where the PEs have not done so.
    let product = scale.map_or(sum, |scale| {
        let scale = m.extend(scale, unit.significand_bits + 1);
        let scale = m.as_signed(scale);
        let product = m.mul(sum, scale);
        m.truncate(product, unit.product_bits)
    });
    let product = m.reg("product_q", product, enable, None, "stage 1: group sum * scale significand");
    let exponent = m.reg("exponent_q", exponent, enable, None, "stage 1: exponent");
    // Carried along for the output stage.
    let carried = m.concat(&[channel, non_finite]);
    let mut carried = m.reg("carried_1_q", carried, enable, None, "stage 1: channel scale and non-finite flag");
    let keep = m.not(first);
    // Accumulators in a memory have the flag of the parts before.
    let held = places
        .map(|(bits, ..)| m.wire("held", ACCUMULATOR_BITS, &format!("stage {read_stage}: of {} places", 1 << bits)));
    for stage in 2..=write_stage {
        let doc = format!("stage {stage}: the same");
        if let (Some(held), true) = (held, stage == read_stage + 1) {
            let (channel, now) = (m.slice(carried, 0, 16), m.bit(carried, 16));
            let before = m.bit(held, ACCUMULATOR_BITS - 1);
            let before = m.and(keep, before);
            let flag = m.or(now, before);
            carried = m.concat(&[channel, flag]);
        }
        carried = m.reg(&format!("carried_{stage}_q"), carried, enable, None, &doc);
    }

    // Convert.
    let value = to_float(&mut m, step, product, exponent, unit.exponent_offset);
    let value = m.reg("value_q", value, enable, None, &format!("stage {read_stage}: scaled group sum, binary32"));

    // Align and add.
    let rotating = if held.is_some() { 0 } else { unit.ring_entries() };
    let entries: Vec<Net> = (0..rotating)
        .map(|i| m.register(&format!("accumulator_{i}_q"), 32, false, "rotating binary32 accumulators"))
        .collect();
    let entry = match (held, in_flight) {
        (Some(held), _) => m.slice(held, 0, 32),
        // Results on their way enter the ring before this slot's: its entry is as many further on. Here the only one is that
        // of the last stage.
        (None, None) => m.mux(write, entries[1], entries[0]),
        (None, Some(count)) => m.select(count, &entries[..unit.loop_cycles as usize]),
    };
    let accumulator = gate(&mut m, keep, entry);
    let accumulator = step.cut(&mut m, "addend_q", accumulator, "the slot's accumulator");
    let value = step.cut(&mut m, "scaled_q", value, "scaled group sum beside it");
    let (total, exponent, sign) = add_significands(&mut m, step, accumulator, value);
    let stage = write_stage - unit.step_registers;
    let total = m.reg("total_q", total, enable, None, &format!("stage {stage}: sum of the aligned significands"));
    let doc = format!("stage {stage}: exponent of the larger addend");
    let exponent = m.reg("total_exponent_q", exponent, enable, None, &doc);
    let sign = m.reg("total_sign_q", sign, enable, None, &format!("stage {stage}: sign"));

    // Normalize and round.
    let result = normalize_sum(&mut m, step, total, exponent, sign);
    let result = m.name(result, "accumulator_d", "new accumulator, binary32");
    let rotate = m.and(advance, write);
    if let (Some(held), Some((bits, (reads, read), place))) = (held, places) {
        let flag = m.bit(carried, 16);
        let data = m.concat(&[result, flag]);
        let doc = "binary32 accumulators, above each the non-finite flag of its token so far";
        let data = m.ram("accumulators", 1 << bits, ACCUMULATOR_BITS, rotate, place, data, reads, read, doc);
        m.assign(held, data);
    }
    for (i, entry) in entries.iter().enumerate() {
        let next = entries.get(i + 1).copied().unwrap_or(result);
        m.drive(*entry, next, Some(rotate), None);
    }
    m.output("accumulator_o", result, &format!("stage {}: new accumulator, binary32", write_stage + 1));
    let channel = m.slice(carried, 0, 16);
    let non_finite = m.bit(carried, 16);
    m.output("channel_o", channel, "its channel scale");
    m.output("non_finite_o", non_finite, "its non-finite flag");
    m.finish()
}

/// Binary32 of `product · 2^(exponent + offset)`, rounded to nearest even.
fn to_float(m: &mut ModuleBuilder, step: Step, product: Net, exponent: Net, offset: i32) -> Net {
    let bits = product.width;
    let sign = m.bit(product, bits - 1);
    let negated = m.negate(product);
    let negated = m.truncate(negated, bits);
    let magnitude = m.mux(sign, negated, product);
    let magnitude = m.as_unsigned(magnitude);
    let magnitude = step.cut(m, "magnitude_q", magnitude, "magnitude of the product");
    let sign = step.cut(m, "magnitude_sign_q", sign, "its sign");
    let exponent = step.cut(m, "magnitude_exponent_q", exponent, "its exponent");
    let (normal, zeros) = normalize(m, magnitude, "magnitude");
    let nonzero = step.is_cut().then(|| m.reduce_or(magnitude));
    let normal = step.cut(m, "normal_q", normal, "normalized magnitude");
    let zeros = step.cut(m, "normal_zeros_q", zeros, "places it was moved up");
    let sign = step.cut(m, "normal_sign_q", sign, "its sign");
    let exponent = step.cut(m, "normal_exponent_q", exponent, "its exponent");
    let nonzero = nonzero.map(|nonzero| step.cut(m, "normal_nonzero_q", nonzero, "it is not zero"));
    // Biased exponent = 127 + offset + exponent + (bits - 1) - zeros, in 1..=254 for every non-zero product.
    let constant = (127 + offset + bits as i32 - 1) as u64 & 0xFF;
    let constant = m.constant(constant, 8);
    let exponent = m.extend(exponent, 8);
    let sum = m.add(constant, exponent);
    let sum = m.truncate(sum, 8);
    let zeros = m.extend(zeros, 8);
    let biased = m.sub(sum, zeros);
    let biased = m.truncate(biased, 8);
    let biased = m.as_unsigned(biased);
    let normal = if bits < FRACTION + 1 {
        let zeros = m.constant(0, FRACTION + 1 - bits);
        m.concat(&[zeros, normal])
    } else {
        normal
    };
    let packed = round_and_pack(m, biased, normal, FRACTION, "value");
    let value = m.concat(&[packed, sign]);
    let nonzero = nonzero.unwrap_or_else(|| m.reduce_or(magnitude));
    gate(m, nonzero, value)
}

/// Adds two binary32 numbers: the aligned sum with a carry bit above, the larger exponent and the sign.
fn add_significands(m: &mut ModuleBuilder, step: Step, a: Net, b: Net) -> (Net, Net, Net) {
    let (a_magnitude, b_magnitude) = (m.slice(a, 0, 31), m.slice(b, 0, 31));
    let swap = m.lt(a_magnitude, b_magnitude);
    let swap = m.name(swap, "swap", "the scaled group sum is the larger addend");
    let large = m.mux(swap, b, a);
    let large = m.name(large, "larger", "larger addend");
    let small = m.mux(swap, a, b);
    let small = m.name(small, "smaller", "smaller addend");
    let large_significand = significand(m, large);
    let large_significand = m.name(large_significand, "larger_significand", "24 bits");
    let small_significand = significand(m, small);
    let small_significand = m.name(small_significand, "smaller_significand", "24 bits");
    let large_exponent = m.slice(large, FRACTION, 8);
    let small_exponent = m.slice(small, FRACTION, 8);
    let distance = m.sub(large_exponent, small_exponent);
    let distance = m.truncate(distance, 8);
    let distance = m.as_unsigned(distance);
    let distance = m.name(distance, "distance", "of the exponents");
    let distance = step.cut(m, "distance_q", distance, "distance of the exponents");
    let large_significand = step.cut(m, "larger_significand_q", large_significand, "significand of the larger addend");
    let small_significand =
        step.cut(m, "smaller_significand_q", small_significand, "significand of the smaller addend");
    let large_exponent = step.cut(m, "larger_exponent_q", large_exponent, "exponent of the larger addend");
    let guard = m.constant(0, 2);
    let small_wide = m.concat(&[guard, small_significand]);
    let aligned = shift_right_sticky(m, small_wide, distance, "smaller");
    let guard = m.constant(0, 3);
    let large_wide = m.concat(&[guard, large_significand]);
    debug_assert_eq!(large_wide.width, SUM_BITS);
    let (large_sign, small_sign) = (m.bit(large, 31), m.bit(small, 31));
    let subtract = m.xor(large_sign, small_sign);
    let subtract = m.name(subtract, "subtract", "the signs differ");
    let large_sign = step.cut(m, "larger_sign_q", large_sign, "sign of the larger addend");
    let subtract = step.cut(m, "subtract_q", subtract, "the signs of the addends differ");
    let inverted = m.replicate(subtract, SUM_BITS);
    let addend = m.xor(aligned, inverted);
    let total = m.add(large_wide, addend);
    let carry_in = m.extend(subtract, SUM_BITS + 1);
    let total = m.add(total, carry_in);
    let total = m.truncate(total, SUM_BITS + 1);
    // A subtraction's carry out is no part of the magnitude.
    let carry = m.bit(total, SUM_BITS);
    let is_addition = m.not(subtract);
    let carry = m.and(carry, is_addition);
    let low = m.slice(total, 0, SUM_BITS);
    let total = m.concat(&[low, carry]);
    (total, large_exponent, large_sign)
}

/// 24-bit significand; the hidden bit is zero for zero.
fn significand(m: &mut ModuleBuilder, x: Net) -> Net {
    let exponent = m.slice(x, FRACTION, 8);
    let hidden = m.reduce_or(exponent);
    let fraction = m.slice(x, 0, FRACTION);
    m.concat(&[fraction, hidden])
}

/// Binary32 of a sum from [`add_significands`]; an exact zero is +0.
fn normalize_sum(m: &mut ModuleBuilder, step: Step, total: Net, exponent: Net, sign: Net) -> Net {
    let (normal, zeros) = normalize(m, total, "total");
    let nonzero = step.is_cut().then(|| m.reduce_or(total));
    let normal = step.cut(m, "sum_q", normal, "normalized sum");
    let zeros = step.cut(m, "sum_zeros_q", zeros, "places it was moved up");
    let sign = step.cut(m, "sum_sign_q", sign, "its sign");
    let exponent = step.cut(m, "sum_exponent_q", exponent, "exponent of the larger addend");
    let nonzero = nonzero.map(|nonzero| step.cut(m, "sum_nonzero_q", nonzero, "it is not zero"));
    let one = m.constant(1, 8);
    let raised = m.add(exponent, one);
    let raised = m.truncate(raised, 8);
    let zeros = m.extend(zeros, 8);
    let biased = m.sub(raised, zeros);
    let biased = m.truncate(biased, 8);
    let biased = m.as_unsigned(biased);
    let packed = round_and_pack(m, biased, normal, FRACTION, "sum");
    let value = m.concat(&[packed, sign]);
    let nonzero = nonzero.unwrap_or_else(|| m.reduce_or(total));
    gate(m, nonzero, value)
}
