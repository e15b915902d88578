//! The shared-exponent PE: digits times aligned activations, an adder tree, an integer accumulator and a hold register
//! that is one link of the chain to the scale unit.

use bitmosaic_arch::{BlockPe, Machine};
use bitmosaic_numerics::term::DIGIT_BITS;

use super::tree;
use crate::hardware::index_bits;
use crate::netlist::{Module, ModuleBuilder, Net, NetlistError};

/// Module `block_pe`.
pub(super) fn block_pe(machine: &Machine, block: &BlockPe) -> Result<Module, NetlistError> {
    let pe = &machine.pe;
    let (lanes, w) = (pe.lanes, block.significand_bits);
    let mut m = ModuleBuilder::new(
        "block_pe",
        &format!(
            "Processing element: {lanes} lanes of digit {{0, 1, 2, 4, and negative}} times {w}-bit activation,\n\
             summed into a {}-bit group accumulator; finished sums leave through the hold chain.",
            pe.accumulator_bits
        ),
    );
    let digits = m.input("digit_i", lanes * DIGIT_BITS, "digits of the column: sign, then 0, 1, 2 or 3 for 0, 1, 2, 4");
    let activations = m.input("activation_i", lanes * w, "aligned activations of the row, two's complement");
    let advance = (pe.pipeline_registers > 0).then(|| m.input("advance_i", 1, "the PE pipeline moves"));
    let accumulate = m.input("accumulate_i", 1, "a term reaches the accumulator");
    let clear = m.input("clear_i", 1, "the term is the first of its group");
    let plane = m.input("plane_i", index_bits(machine.max_terms), "digit plane of the term: it weighs 4^plane");
    m.ignore(plane);
    let capture = m.input("capture_i", 1, "the term ends its group: the sum goes to the hold register");
    let shift = m.input("shift_i", 1, "the hold chain moves by one");
    let chain = m.input_signed("chain_i", pe.accumulator_bits, "hold register of the next PE in the chain");

    // -x is ~x + 1: the ones are counted apart, so that no lane needs an adder of its own.
    let mut products = Vec::new();
    let mut negatives = Vec::new();
    for lane in 0..lanes {
        let magnitude = m.slice(digits, lane * DIGIT_BITS, 2);
        let negative = m.bit(digits, lane * DIGIT_BITS + 2);
        let activation = m.slice(activations, lane * w, w);
        let activation = m.as_signed(activation);
        let zero = m.constant_signed(0, block.product_bits);
        let multiples = [0, 1, 2].map(|n| {
            let shifted = m.shift_left_const(activation, n);
            m.extend(shifted, block.product_bits)
        });
        let multiple = m.select(magnitude, &[zero, multiples[0], multiples[1], multiples[2]]);
        let sign = m.replicate(negative, block.product_bits);
        let sign = m.as_signed(sign);
        let product = m.xor(multiple, sign);
        products.push(m.name(product, &format!("product_{lane}"), "ones' complement of the product where negative"));
        negatives.push(negative);
    }
    if pe.pipeline_registers > 1 {
        for (lane, product) in products.iter_mut().enumerate() {
            *product = m.reg(&format!("product_{lane}_q"), *product, advance, None, "lane register");
        }
        let signs = m.concat(&negatives);
        let signs = m.reg("negative_q", signs, advance, None, "signs of the lanes");
        negatives = (0..lanes).map(|lane| m.bit(signs, lane)).collect();
    }
    let sum = tree(&mut m, products, ModuleBuilder::add);
    let ones = tree(&mut m, negatives, ModuleBuilder::add);
    let ones = m.extend(ones, block.tree_bits);
    let ones = m.as_signed(ones);
    let sum = m.extend(sum, block.tree_bits);
    let sum = m.add(sum, ones);
    let mut sum = m.truncate(sum, block.tree_bits);
    if pe.pipeline_registers > 0 {
        sum = m.reg("tree_q", sum, advance, None, "sum of the lanes");
    } else {
        sum = m.name(sum, "tree", "sum of the lanes");
    }

    let planes: Vec<Net> = (0..machine.max_terms)
        .map(|k| {
            let weighted = m.shift_left_const(sum, 2 * k);
            if weighted.width > pe.accumulator_bits {
                m.truncate(weighted, pe.accumulator_bits)
            } else {
                m.extend(weighted, pe.accumulator_bits)
            }
        })
        .collect();
    let term = m.select(plane, &planes);
    let accumulator = m.register("accumulator_q", pe.accumulator_bits, true, "group sum so far");
    let zero = m.constant_signed(0, pe.accumulator_bits);
    let base = m.mux(clear, zero, accumulator);
    let total = m.add(base, term);
    let total = m.truncate(total, pe.accumulator_bits);
    let total = m.name(total, "accumulator_d", "group sum with this term; exact, it cannot overflow");
    m.drive(accumulator, total, Some(accumulate), None);

    let next = m.mux(capture, total, chain);
    let enable = m.or(capture, shift);
    let hold = m.reg("hold_q", next, Some(enable), None, "finished group sum on its way to the scale unit");
    m.output("chain_o", hold, "hold register");
    m.finish()
}
