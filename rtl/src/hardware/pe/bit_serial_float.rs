//! The paper's PE, made correct: products keep their FP16 exponents, are aligned to the largest of their cycle, and meet a
//! group accumulator with an exponent of its own; a bit-serial dequantizer multiplies the finished sum by the scale code.

use bitmosaic_arch::{FloatPe, Machine};

use super::{add_carry, tree, tree_with_carries};
use crate::hardware::float::gate;
use crate::hardware::index_bits;
use crate::netlist::{Module, ModuleBuilder, Net, NetlistError};

/// Bits of a decoded activation on the row: significand, exponent, sign.
pub(crate) const DECODED_BITS: u32 = 11 + 5 + 1;

/// Module `float_pe`.
pub(super) fn float_pe(machine: &Machine, widths: &FloatPe) -> Result<Module, NetlistError> {
    let pe = &machine.pe;
    let lanes = pe.lanes;
    let mut m = ModuleBuilder::new(
        "float_pe",
        &format!(
            "Processing element: {lanes} lanes of digit {{0, 1, 2, 4, and negative}} times FP16, aligned every cycle with\n\
             {} guard bits, summed into a {}-bit accumulator with its own exponent; a bit-serial dequantizer.",
            widths.guard_bits, pe.accumulator_bits
        ),
    );
    let digit_bits = pe.digit_bits;
    let digits = m.input("digit_i", lanes * digit_bits, "digits of the column: sign, then 0, 1, 2 or 3 for 0, 1, 2, 4");
    let activations =
        m.input("activation_i", lanes * DECODED_BITS, "lanes of the row: significand (11), exponent (5), sign");
    let advance = (pe.pipeline_registers > 0).then(|| m.input("advance_i", 1, "the PE pipeline moves"));
    let accumulate = m.input("accumulate_i", 1, "a term reaches the accumulator");
    let clear = m.input("clear_i", 1, "the term is the first of its group");
    let plane = m.input("plane_i", index_bits(machine.max_terms), "digit plane of the term: it weighs 4^plane");
    m.ignore(plane);
    let capture = m.input("capture_i", 1, "the term ends its group: the sum goes to the dequantizer");
    let dequantize = m.input("dequantize_i", 1, "the dequantizer takes a bit of the scale code");
    let scale_bit = m.input("scale_bit_i", 1, "that bit, the highest first");
    let shift = m.input("shift_i", 1, "the hold chain moves by one");
    let chain = m.input_signed("chain_i", widths.held_bits, "hold register of the next PE in the chain");
    let chain_exponent = m.input("chain_exponent_i", widths.exponent_bits, "its exponent");

    // Lanes: exponent of the product, 0 where it is zero.
    let mut lane_values = Vec::new();
    for lane in 0..lanes {
        let magnitude = m.slice(digits, lane * digit_bits, 2);
        let digit_sign = m.bit(digits, lane * digit_bits + 2);
        let significand = m.slice(activations, lane * DECODED_BITS, 11);
        let exponent = m.slice(activations, lane * DECODED_BITS + 11, 5);
        let activation_sign = m.bit(activations, lane * DECODED_BITS + 16);
        let sign = m.xor(digit_sign, activation_sign);
        let (digit_there, activation_there) = (m.reduce_or(magnitude), m.reduce_or(significand));
        let there = m.and(digit_there, activation_there);
        let significand = gate(&mut m, there, significand);
        // 1, 2, 3 for 1, 2, 4: the power is one less.
        let one = m.constant(1, 2);
        let power = m.sub(magnitude, one);
        let power = m.truncate(power, 2);
        let power = m.as_unsigned(power);
        let power = m.extend(power, widths.exponent_bits);
        let exponent = m.extend(exponent, widths.exponent_bits);
        let exponent = m.add(exponent, power);
        let exponent = m.truncate(exponent, widths.exponent_bits);
        let exponent = gate(&mut m, there, exponent);
        let exponent =
            m.name(exponent, &format!("lane_exponent_{lane}"), "exponent of the product, 0 where it is zero");
        lane_values.push([significand, exponent, sign]);
    }
    let (sum, sum_exponent) = sum_of_lanes(&mut m, widths, lane_values, (pe.pipeline_registers, advance));
    let some = m.reduce_or(sum_exponent);
    let zero = m.constant(0, 1);
    let weight = m.concat(&[zero, plane]);
    let weight = m.extend(weight, widths.exponent_bits);
    let weight = gate(&mut m, some, weight);
    let term_exponent = m.add(sum_exponent, weight);
    let term_exponent = m.truncate(term_exponent, widths.exponent_bits);
    let term = (sum, term_exponent);
    let (total, large_exponent) = float_accumulator(&mut m, machine, widths, term, [accumulate, clear]);

    // Dequantize: product = 2 · product + bit · sum, eight times; then the product is a link of the hold chain.
    let held = m.reg("held_q", total, Some(capture), None, "finished group sum");
    let product = m.register("hold_q", widths.held_bits, true, "sum times the scale bits so far; then the hold chain");
    let zero = m.constant_signed(0, pe.accumulator_bits);
    let addend = m.mux(scale_bit, held, zero);
    let doubled = m.shift_left_const(product, 1);
    let next = m.add(doubled, addend);
    let next = m.truncate(next, widths.held_bits);
    let next = m.mux(dequantize, next, chain);
    let zero = m.constant_signed(0, widths.held_bits);
    let next = m.mux(capture, zero, next);
    let changes = m.or_all(&[capture, dequantize, shift]);
    m.drive(product, next, Some(changes), None);
    let next = m.mux(capture, large_exponent, chain_exponent);
    let changes = m.or(capture, shift);
    let product_exponent =
        m.reg("hold_exponent_q", next, Some(changes), None, "exponent of the sum; then the hold chain");
    m.output("chain_o", product, "hold register");
    m.output("chain_exponent_o", product_exponent, "its exponent");
    m.finish()
}

/// The lanes' products, each a significand, an exponent that is 0 where the product is zero, and a sign: aligned to the largest
/// exponent of the cycle and summed, with the registers of the PE pipeline. Gives the sum and its exponent.
pub(super) fn sum_of_lanes(
    m: &mut ModuleBuilder,
    widths: &FloatPe,
    mut lanes: Vec<[Net; 3]>,
    (registers, advance): (u32, Option<Net>),
) -> (Net, Net) {
    let largest = tree(m, lanes.iter().map(|l| l[1]).collect(), larger);
    let mut largest = m.name(largest, "largest", "largest exponent of the cycle, 0 without any product");
    if registers > 1 {
        for (lane, values) in lanes.iter_mut().enumerate() {
            for (value, name) in values.iter_mut().zip(["significand", "exponent", "sign"]) {
                *value = m.reg(&format!("lane_{name}_{lane}_q"), *value, advance, None, "lane register");
            }
        }
        largest = m.reg("largest_q", largest, advance, None, "lane register");
    }

    // Align: the magnitude is truncated, then the sign applied as ones' complement; the ones are carries of the additions.
    let mut aligned = Vec::new();
    let mut negatives = Vec::new();
    for (lane, [significand, exponent, sign]) in lanes.into_iter().enumerate() {
        let distance = m.sub(largest, exponent);
        let distance = m.truncate(distance, widths.exponent_bits);
        let distance = m.as_unsigned(distance);
        let wide = m.shift_left_const(significand, widths.guard_bits);
        let shifted = m.shift_right(wide, distance);
        let positive = m.extend(shifted, shifted.width + 1);
        let signs = m.replicate(sign, positive.width);
        let value = m.xor(positive, signs);
        let value = m.as_signed(value);
        aligned.push(m.name(value, &format!("aligned_{lane}"), "aligned product, ones' complement where negative"));
        negatives.push(sign);
    }
    let last = negatives[negatives.len() - 1];
    let sum = tree_with_carries(m, aligned, negatives);
    let sum = add_carry(m, sum, last);
    if registers == 0 {
        return (sum, largest);
    }
    let sum = m.reg("tree_q", sum, advance, None, "sum of the lanes");
    (sum, m.reg("tree_exponent_q", largest, advance, None, "its exponent, without the plane"))
}

/// The group accumulator with its exponent, and a term that arrives with `accumulate` and restarts it with `clear`: the smaller
/// exponent's side is shifted right and rounded half up. Gives the sum with this term, and its exponent.
pub(super) fn float_accumulator(
    m: &mut ModuleBuilder,
    machine: &Machine,
    widths: &FloatPe,
    (sum, term_exponent): (Net, Net),
    [accumulate, clear]: [Net; 2],
) -> (Net, Net) {
    let pe = &machine.pe;
    let term = m.shift_left_const(sum, widths.accumulator_guard_bits);
    let term = m.extend(term, pe.accumulator_bits);
    let accumulator = m.register("accumulator_q", pe.accumulator_bits, true, "group sum so far");
    let exponent = m.register("accumulator_exponent_q", widths.exponent_bits, false, "its exponent");
    let keep = m.not(clear);
    let zero = m.constant_signed(0, pe.accumulator_bits);
    let base = m.mux(clear, zero, accumulator);
    let base_exponent = gate(m, keep, exponent);
    let term_larger = m.lt(base_exponent, term_exponent);
    let large = m.mux(term_larger, term, base);
    let small = m.mux(term_larger, base, term);
    let large_exponent = m.mux(term_larger, term_exponent, base_exponent);
    let small_exponent = m.mux(term_larger, base_exponent, term_exponent);
    let distance = m.sub(large_exponent, small_exponent);
    let distance = m.truncate(distance, widths.exponent_bits);
    let distance = m.as_unsigned(distance);
    let wide = m.shift_left_const(small, 1);
    let shifted = m.shift_right(wide, distance);
    let kept = m.slice(shifted, 1, pe.accumulator_bits);
    let kept = m.as_signed(kept);
    let lost = m.bit(shifted, 0);
    let lost = m.extend(lost, pe.accumulator_bits);
    let lost = m.as_signed(lost);
    let total = m.add(large, kept);
    let total = m.add(total, lost);
    let total = m.truncate(total, pe.accumulator_bits);
    let total = m.name(total, "accumulator_d", "group sum with this term");
    m.drive(accumulator, total, Some(accumulate), None);
    m.drive(exponent, large_exponent, Some(accumulate), None);
    (total, large_exponent)
}

fn larger(m: &mut ModuleBuilder, a: Net, b: Net) -> Net {
    let below = m.lt(a, b);
    m.mux(below, b, a)
}

/// Module `activation_decoder`: FP16 of a row's lanes into significand, exponent and sign; a subnormal has exponent 1.
pub(crate) fn activation_decoder(machine: &Machine) -> Result<Module, NetlistError> {
    let lanes = machine.pe.lanes;
    let mut m = ModuleBuilder::new(
        "activation_decoder",
        "Row edge: takes FP16 activations apart, once for all PEs of the row; finds NaN and infinities.",
    );
    let activations = m.input("activation_i", lanes * 16, "FP16 activations of the lanes");
    let (decoded, non_finite) = decode_fp16(&mut m, activations, lanes);
    m.output("activation_o", decoded, "per lane: significand (11), exponent (5), sign");
    m.output("non_finite_o", non_finite, "a lane holds a NaN or an infinity");
    m.finish()
}

/// FP16 numbers taken apart, [`DECODED_BITS`] each, and whether one is a NaN or an infinity.
pub(super) fn decode_fp16(m: &mut ModuleBuilder, numbers: Net, lanes: u32) -> (Net, Net) {
    let mut decoded = Vec::new();
    let mut non_finite = Vec::new();
    for lane in 0..lanes {
        let fraction = m.slice(numbers, lane * 16, 10);
        let exponent = m.slice(numbers, lane * 16 + 10, 5);
        let sign = m.bit(numbers, lane * 16 + 15);
        let hidden = m.reduce_or(exponent);
        let one = m.constant(1, 5);
        let biased = m.mux(hidden, exponent, one);
        decoded.extend([fraction, hidden, biased, sign]);
        non_finite.push(m.reduce_and(exponent));
    }
    (m.concat(&decoded), m.or_all(&non_finite))
}
