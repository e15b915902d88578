//! The shared-exponent PE: digits times aligned activations, an adder tree, an integer accumulator and a hold register
//! that is one link of the chain to the scale unit.

use bitmosaic_arch::{BlockPe, Machine, TermOrder};
use bitmosaic_numerics::DigitSet;

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
            "Processing element: {lanes} lanes of digit {{{}}} times {w}-bit activation,\n\
             summed into a {}-bit group accumulator; finished sums leave through the hold chain.",
            ascii(pe.digit_set),
            pe.accumulator_bits
        ),
    );
    let (digit_bits, magnitude_bits) = (pe.digit_set.bits(), pe.digit_set.magnitude_bits());
    let doc = format!("digits of the column: sign, then the place of the magnitude among {}", ascii(pe.digit_set));
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

    // -x is ~x + 1: the ones are counted apart, so that no lane needs an adder of its own.
    let mut products = Vec::new();
    let mut negatives = Vec::new();
    for lane in 0..lanes {
        let magnitude = m.slice(digits, lane * digit_bits, magnitude_bits);
        let negative = m.bit(digits, lane * digit_bits + magnitude_bits);
        let activation = m.slice(activations, lane * lane_bits, w);
        let activation = m.as_signed(activation);
        let triple = (block.triple_bits > 0).then(|| {
            let triple = m.slice(activations, lane * lane_bits + w, block.triple_bits);
            m.as_signed(triple)
        });
        let multiples: Vec<Net> = pe
            .digit_set
            .magnitudes()
            .iter()
            .map(|magnitude| {
                let base = if magnitude % 3 == 0 { triple } else { None };
                let factor = if base.is_some() { magnitude / 3 } else { *magnitude };
                match factor {
                    0 => m.constant_signed(0, block.product_bits),
                    _ => {
                        let shifted = m.shift_left_const(base.unwrap_or(activation), factor.ilog2());
                        m.extend(shifted, block.product_bits)
                    }
                }
            })
            .collect();
        let multiple = m.select(magnitude, &multiples);
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

    let fit = |m: &mut ModuleBuilder, net: Net| {
        if net.width > pe.accumulator_bits {
            m.truncate(net, pe.accumulator_bits)
        } else {
            m.extend(net, pe.accumulator_bits)
        }
    };
    let accumulator = m.register("accumulator_q", pe.accumulator_bits, true, "group sum so far");
    let zero = m.constant_signed(0, pe.accumulator_bits);
    let (term, base) = match pe.order {
        TermOrder::WeightMajor => {
            let planes: Vec<Net> = (0..machine.max_terms)
                .map(|k| {
                    let weighted = m.shift_left_const(sum, radix_bits * k);
                    fit(&mut m, weighted)
                })
                .collect();
            (m.select(plane, &planes), m.mux(clear, zero, accumulator))
        }
        TermOrder::PlaneMajor => {
            let moved = m.shift_left_const(accumulator, radix_bits);
            let moved = fit(&mut m, moved);
            let base = m.mux(plane, moved, accumulator);
            (fit(&mut m, sum), m.mux(clear, zero, base))
        }
    };
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

/// A digit set for comments in Verilog, in plain ASCII.
fn ascii(set: DigitSet) -> String {
    set.magnitudes().iter().map(i8::to_string).collect::<Vec<_>>().join(", ") + " and negative"
}
