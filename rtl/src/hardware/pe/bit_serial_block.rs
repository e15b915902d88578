//! The shared-exponent PE: digits times aligned activations, an adder tree, an integer accumulator and a hold register
//! that is one link of the chain to the scale unit.

use bitmosaic_arch::{BlockPe, Machine, TermOrder};
use bitmosaic_numerics::DigitSet;

use super::{add_with_carry, fit, group_accumulator, tree_with_carries};
use crate::hardware::index_bits;
use crate::netlist::{Module, ModuleBuilder, Net, NetlistError};

/// Module `block_pe`.
pub(super) fn block_pe(machine: &Machine, block: &BlockPe) -> Result<Module, NetlistError> {
    let pe = &machine.pe;
    let (lanes, w) = (pe.lanes, block.significand_bits);
    let mut m = ModuleBuilder::new(
        "block_pe",
        &format!(
            "Processing element: {lanes} lanes of digit {{{}}} times {w}-bit activation,\n\
             summed into a {}-bit group accumulator; finished sums leave through the hold chain.",
            ascii(pe.digit_set),
            pe.accumulator_bits
        ),
    );
    let (digit_bits, magnitude_bits) = (pe.digit_bits, pe.digit_set.magnitude_bits());
    let magnitudes = ascii(pe.digit_set);
    let doc = format!("digits of the column: sign, none for 0, then the place of the magnitude among {magnitudes}");
    let digits = m.input("digit_i", lanes * digit_bits, &doc);
    let lane_bits = w + block.triple_bits;
    let triples = if block.triple_bits > 0 { ", three times each above it" } else { "" };
    let doc = format!("aligned activations of the row, two's complement{triples}");
    let activations = m.input("activation_i", lanes * lane_bits, &doc);
    let advance = (pe.pipeline_registers > 0).then(|| m.input("advance_i", 1, "the PE pipeline moves"));
    let accumulate = m.input("accumulate_i", 1, "a term reaches the accumulator");
    let clear = m.input("clear_i", 1, "the term is the first of its group");
    let radix_bits = pe.digit_set.radix_bits();
    let plane = match pe.order {
        TermOrder::WeightMajor => {
            let doc = format!("digit plane of the term: it weighs 2^({radix_bits} * plane)");
            m.input("plane_i", index_bits(machine.max_terms), &doc)
        }
        TermOrder::PlaneMajor => m.input("next_plane_i", 1, "the term is the first of a lower digit plane"),
    };
    m.ignore(plane);
    let capture = m.input("capture_i", 1, "the term ends its group: the sum goes to the hold register");
    let shift = m.input("shift_i", 1, "the hold chain moves by one");
    let chain = m.input_signed("chain_i", pe.accumulator_bits, "hold register of the next PE in the chain");

    // -x is ~x + 1: the sign inverts the activation and fills the places below it; the ones are carries of the additions.
    let mut products = Vec::new();
    let mut negatives = Vec::new();
    for lane in 0..lanes {
        let magnitude = m.slice(digits, lane * digit_bits, magnitude_bits);
        let negative = m.bit(digits, lane * digit_bits + magnitude_bits);
        let magnitudes = pe.digit_set.magnitudes();
        let is_triple = |magnitude: &i8| block.triple_bits > 0 && *magnitude > 0 && magnitude % 3 == 0;
        let mut activation = m.slice(activations, lane * lane_bits, w);
        activation = m.as_signed(activation);
        if block.triple_bits > 0 {
            let triple = m.slice(activations, lane * lane_bits + w, block.triple_bits);
            let triple = m.as_signed(triple);
            let once = m.extend(activation, block.triple_bits);
            let multiples: Vec<Net> = magnitudes.iter().map(|d| if is_triple(d) { triple } else { once }).collect();
            activation = m.select(magnitude, &multiples);
        }
        let signs = m.replicate(negative, activation.width);
        let signs = m.as_signed(signs);
        let signed = m.xor(activation, signs);
        let signed = m.name(signed, &format!("signed_{lane}"), "ones' complement where the digit is negative");
        let multiples: Vec<Net> = magnitudes
            .iter()
            .map(|digit| {
                let factor = if is_triple(digit) { digit / 3 } else { *digit };
                if factor == 0 {
                    return m.constant_signed(0, block.product_bits);
                }
                let multiple = filled(&mut m, signed, negative, factor.ilog2());
                fit(&mut m, multiple, block.product_bits)
            })
            .collect();
        let product = m.select(magnitude, &multiples);
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
    // A lane more than additions: the last carry waits for the accumulator's.
    let mut carry = negatives[lanes as usize - 1];
    let mut sum = tree_with_carries(&mut m, products, negatives);
    let (doc, carry_doc) = ("sum of the lanes without the last carry", "the last lane is negative");
    if pe.pipeline_registers > 0 {
        sum = m.reg("tree_q", sum, advance, None, doc);
        carry = m.reg("carry_q", carry, advance, None, carry_doc);
    } else {
        sum = m.name(sum, "tree", doc);
        carry = m.name(carry, "carry", carry_doc);
    }

    let accumulator = m.register("accumulator_q", pe.accumulator_bits, true, "group sum so far");
    let zero = m.constant_signed(0, pe.accumulator_bits);
    let (term, base) = match pe.order {
        TermOrder::WeightMajor => {
            let planes: Vec<Net> = (0..machine.max_terms)
                .map(|k| {
                    let weighted = filled(&mut m, sum, carry, radix_bits * k);
                    fit(&mut m, weighted, pe.accumulator_bits)
                })
                .collect();
            (m.select(plane, &planes), m.mux(clear, zero, accumulator))
        }
        TermOrder::PlaneMajor => {
            let moved = m.shift_left_const(accumulator, radix_bits);
            let moved = fit(&mut m, moved, pe.accumulator_bits);
            let base = m.mux(plane, moved, accumulator);
            (fit(&mut m, sum, pe.accumulator_bits), m.mux(clear, zero, base))
        }
    };
    let total = add_with_carry(&mut m, base, term, carry);
    group_accumulator(&mut m, accumulator, total, accumulate, [capture, shift], chain);
    m.finish()
}

/// Moved up, with the sign below, whose carry then counts at the lowest place: `~x << n` and ones are `~(x << n)`.
fn filled(m: &mut ModuleBuilder, x: Net, sign: Net, places: u32) -> Net {
    if places == 0 {
        return x;
    }
    let below = m.replicate(sign, places);
    let joined = m.concat(&[below, x]);
    m.as_signed(joined)
}

/// A digit set for comments in Verilog, in plain ASCII.
fn ascii(set: DigitSet) -> String {
    set.magnitudes().iter().map(i8::to_string).collect::<Vec<_>>().join(", ") + " and negative"
}
