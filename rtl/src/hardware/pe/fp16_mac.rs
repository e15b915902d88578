//! The conventional PE: FP16 weights times FP16 activations, whole products aligned and added as in `bit-serial-float`; a hold
//! register that is one link of the chain to the scale unit.

use bitmosaic_arch::{FloatPe, Machine};

use super::bit_serial_float::{DECODED_BITS, decode_fp16, float_accumulator, sum_of_lanes};
use crate::hardware::float::gate;
use crate::netlist::{Module, ModuleBuilder, NetlistError};

/// Module `mac_pe`.
pub(super) fn mac_pe(machine: &Machine, widths: &FloatPe) -> Result<Module, NetlistError> {
    let pe = &machine.pe;
    let lanes = pe.lanes;
    let mut m = ModuleBuilder::new(
        "mac_pe",
        &format!(
            "Processing element: {lanes} lanes of FP16 times FP16, aligned every cycle with {} guard bits, summed into a\n\
             {}-bit accumulator with its own exponent; finished sums leave through the hold chain.",
            widths.guard_bits, pe.accumulator_bits
        ),
    );
    let parts = "significand (11), exponent (5), sign";
    let weights = m.input("digit_i", lanes * DECODED_BITS, &format!("weights of the column: {parts}"));
    let activations = m.input("activation_i", lanes * DECODED_BITS, &format!("activations of the row: {parts}"));
    let advance = (pe.pipeline_registers > 0).then(|| m.input("advance_i", 1, "the PE pipeline moves"));
    let accumulate = m.input("accumulate_i", 1, "a term reaches the accumulator");
    let clear = m.input("clear_i", 1, "the term is the first of its group");
    let capture = m.input("capture_i", 1, "the term ends its group: the sum goes to the hold register");
    let shift = m.input("shift_i", 1, "the hold chain moves by one");
    let chain = m.input_signed("chain_i", widths.held_bits, "hold register of the next PE in the chain");
    let chain_exponent = m.input("chain_exponent_i", widths.exponent_bits, "its exponent");

    let mut lane_values = Vec::new();
    for lane in 0..lanes {
        let low = lane * DECODED_BITS;
        let significands = [weights, activations].map(|operand| m.slice(operand, low, 11));
        let exponents = [weights, activations].map(|operand| m.slice(operand, low + 11, 5));
        let signs = [weights, activations].map(|operand| m.bit(operand, low + 16));
        let product = m.mul(significands[0], significands[1]);
        let product = m.name(product, &format!("product_{lane}"), "product of the significands");
        let some = significands.map(|significand| m.reduce_or(significand));
        let there = m.and(some[0], some[1]);
        let exponents = exponents.map(|exponent| m.extend(exponent, widths.exponent_bits));
        let exponent = m.add(exponents[0], exponents[1]);
        let exponent = m.truncate(exponent, widths.exponent_bits);
        let exponent = gate(&mut m, there, exponent);
        let exponent =
            m.name(exponent, &format!("lane_exponent_{lane}"), "exponent of the product, 0 where it is zero");
        lane_values.push([product, exponent, m.xor(signs[0], signs[1])]);
    }
    let term = sum_of_lanes(&mut m, widths, lane_values, (pe.pipeline_registers, advance));
    let (total, exponent) = float_accumulator(&mut m, machine, widths, term, [accumulate, clear]);

    let moves = Some(m.or(capture, shift));
    let next = m.mux(capture, total, chain);
    let hold = m.reg("hold_q", next, moves, None, "finished group sum on its way to the scale unit");
    let next = m.mux(capture, exponent, chain_exponent);
    let hold_exponent = m.reg("hold_exponent_q", next, moves, None, "its exponent");
    m.output("chain_o", hold, "hold register");
    m.output("chain_exponent_o", hold_exponent, "its exponent");
    m.finish()
}

/// Module `weight_decoder`: the FP16 weights of a column's lanes, once for all PEs of the column.
pub(crate) fn weight_decoder(machine: &Machine) -> Result<Module, NetlistError> {
    let lanes = machine.pe.lanes;
    let mut m =
        ModuleBuilder::new("weight_decoder", "Column edge: takes FP16 weights apart, once for all PEs of the column.");
    let codes = m.input("code_i", lanes * machine.code_bits, "FP16 weights of the column's lanes");
    let (decoded, _) = decode_fp16(&mut m, codes, lanes);
    m.output("digit_o", decoded, "per lane: significand (11), exponent (5), sign");
    m.finish()
}
