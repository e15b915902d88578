//! The bit-parallel PE with shared exponents, like FIGNA's, ANT's and OliVe's: multipliers of digits in two's complement and
//! aligned activations, or of the digits' significands with a shifter behind, an adder tree, an integer accumulator and a hold
//! register that is one link of the chain to the scale unit.

use bitmosaic_arch::{IntPe, Machine};

use super::{fit, group_accumulator, tree};
use crate::hardware::index_bits;
use crate::netlist::{Module, ModuleBuilder, Net, NetlistError};

/// Module `int_pe`.
pub(super) fn int_pe(machine: &Machine, int: &IntPe) -> Result<Module, NetlistError> {
    let pe = &machine.pe;
    let (lanes, w, digit_bits, radix_bits) = (pe.lanes, int.significand_bits, pe.digit_bits, pe.digit_set.radix_bits());
    let multiplier_bits = int.multiplier_bits;
    let shifted = match int.largest_shift {
        0 => String::new(),
        largest => format!(", shifted by up to {largest}"),
    };
    let mut m = ModuleBuilder::new(
        "int_pe",
        &format!(
            "Processing element: {lanes} lanes of {multiplier_bits}-bit integer times {w}-bit activation{shifted},\n\
             summed into a {}-bit group accumulator; finished sums leave through the hold chain.",
            pe.accumulator_bits
        ),
    );
    let doc = match int.largest_shift {
        0 => "weights of the column, or their digits, two's complement",
        _ => "digits of the column: a significand in two's complement, above it the shift",
    };
    let digits = m.input("digit_i", lanes * digit_bits, doc);
    let activations = m.input("activation_i", lanes * w, "aligned activations of the row, two's complement");
    let advance = (pe.pipeline_registers > 0).then(|| m.input("advance_i", 1, "the PE pipeline moves"));
    let accumulate = m.input("accumulate_i", 1, "a term reaches the accumulator");
    let clear = m.input("clear_i", 1, "the term is the first of its group");
    let doc = format!("digit plane of the term: it weighs 2^({radix_bits} * plane)");
    let plane = m.input("plane_i", index_bits(machine.max_terms), &doc);
    m.ignore(plane);
    let capture = m.input("capture_i", 1, "the term ends its group: the sum goes to the hold register");
    let shift = m.input("shift_i", 1, "the hold chain moves by one");
    let chain = m.input_signed("chain_i", pe.accumulator_bits, "hold register of the next PE in the chain");

    let products: Vec<Net> = (0..lanes)
        .map(|lane| {
            let digit = m.slice(digits, lane * digit_bits, multiplier_bits);
            let digit = m.as_signed(digit);
            let activation = m.slice(activations, lane * w, w);
            let activation = m.as_signed(activation);
            let mut product = m.mul(digit, activation);
            if int.largest_shift > 0 {
                let shift = m.slice(digits, lane * digit_bits + multiplier_bits, digit_bits - multiplier_bits);
                let choices: Vec<Net> = (0..=int.largest_shift)
                    .map(|amount| {
                        let shifted = m.shift_left_const(product, amount);
                        fit(&mut m, shifted, int.product_bits)
                    })
                    .collect();
                product = m.select(shift, &choices);
            }
            let product = m.name(product, &format!("product_{lane}"), "weight times activation");
            if pe.pipeline_registers < 2 {
                return product;
            }
            m.reg(&format!("product_{lane}_q"), product, advance, None, "lane register")
        })
        .collect();
    let mut sum = tree(&mut m, products, |m, a, b| m.add(a, b));
    sum = match pe.pipeline_registers {
        0 => m.name(sum, "tree", "sum of the lanes"),
        _ => m.reg("tree_q", sum, advance, None, "sum of the lanes"),
    };

    let planes: Vec<Net> = (0..machine.max_terms)
        .map(|k| {
            let weighted = m.shift_left_const(sum, radix_bits * k);
            fit(&mut m, weighted, pe.accumulator_bits)
        })
        .collect();
    let term = m.select(plane, &planes);
    let accumulator = m.register("accumulator_q", pe.accumulator_bits, true, "group sum so far");
    let zero = m.constant_signed(0, pe.accumulator_bits);
    let base = m.mux(clear, zero, accumulator);
    let total = m.add(base, term);
    group_accumulator(&mut m, accumulator, total, accumulate, [capture, shift], chain);
    m.finish()
}
