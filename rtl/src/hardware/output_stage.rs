//! Output stage: finished accumulator × channel scale, rounded to binary32, times 2^-f, rounded to FP16.

use super::float::{FRACTION, Step, gate, normalize, round_and_pack, shift_right_sticky};
use crate::netlist::{Module, ModuleBuilder, NetlistError};
use bitmosaic_arch::Machine;
use bitmosaic_numerics::fp16::CANONICAL_NAN;

const PRODUCT_BITS: u32 = FRACTION + 1 + 11;
/// Signed bits that hold every exponent on the way.
const EXPONENT_BITS: u32 = 11;
/// From (binary32 exponent + FP16 exponent) of the factors to the FP16 exponent field of the product: the product is
/// P · 2^(sum - 150 - 25); normalized to its highest bit 34, with bias 15.
const FIELD_OFFSET: i64 = -175 + (PRODUCT_BITS as i64 - 1) + 15;

/// Module `output_stage`: register, multiply, round.
pub(super) fn output_stage(machine: &Machine) -> Result<Module, NetlistError> {
    let mut m = ModuleBuilder::new(
        "output_stage",
        "Output stage: FP16 of fl32(accumulator * channel scale) * 2^-f, rounded to nearest even twice as the\n\
         contract says; overflow gives infinity, exact zero +0, subnormal outputs are exact.",
    );
    let accumulator = m.input("accumulator_i", 32, "finished accumulator, binary32");
    let channel = m.input("channel_i", 16, "FP16 channel scale");
    let non_finite = m.input("non_finite_i", 1, "the output is NaN");
    let fraction_bits = m.input("fraction_bits_i", 8, "f: weight values are multiples of 2^-f");
    let advance = m.input("advance_i", 1, "the pipeline moves");
    let enable = Some(advance);
    let unit = &machine.scale_unit;
    let step = Step::new(unit.step_registers, advance);
    let stage = unit.write_stage() + 1;

    let accumulator = m.reg("accumulator_q", accumulator, enable, None, &format!("stage {stage}: accumulator"));
    let channel = m.reg("channel_q", channel, enable, None, &format!("stage {stage}: channel scale"));
    let doc = format!("stage {stage}: non-finite flag");
    let non_finite = m.reg(&format!("non_finite_{stage}_q"), non_finite, enable, None, &doc);

    // Exact product. An FP16 subnormal has no hidden bit and exponent 1.
    let stage = stage + 1;
    let fraction = m.slice(accumulator, 0, FRACTION);
    let exponent = m.slice(accumulator, FRACTION, 8);
    let hidden = m.reduce_or(exponent);
    let significand = m.concat(&[fraction, hidden]);
    let channel_exponent = m.slice(channel, 10, 5);
    let channel_hidden = m.reduce_or(channel_exponent);
    let channel_fraction = m.slice(channel, 0, 10);
    let channel_significand = m.concat(&[channel_fraction, channel_hidden]);
    let one = m.constant(1, 5);
    let channel_exponent = m.mux(channel_hidden, channel_exponent, one);
    let product = m.mul(significand, channel_significand);
    let doc = format!("stage {stage}: product of the significands, exact");
    let product = m.reg("product_q", product, enable, None, &doc);
    let channel_exponent = m.extend(channel_exponent, 8);
    let exponent = m.add(exponent, channel_exponent);
    let doc = format!("stage {stage}: sum of the biased exponents");
    let exponent = m.reg("exponent_q", exponent, enable, None, &doc);
    let signs = [m.bit(accumulator, 31), m.bit(channel, 15)];
    let sign = m.xor(signs[0], signs[1]);
    let sign = m.reg("sign_q", sign, enable, None, &format!("stage {stage}: sign"));
    let doc = format!("stage {stage}: non-finite flag");
    let non_finite = m.reg(&format!("non_finite_{stage}_q"), non_finite, enable, None, &doc);

    // To binary32: the exponent field on FP16's scale, then 24 significand bits.
    let (normal, zeros) = normalize(&mut m, product, "product");
    let nonzero = step.is_cut().then(|| m.reduce_or(product));
    let stage = stage + 1;
    let carried = |m: &mut ModuleBuilder, name: &str, stage: u32, net, doc: &str| {
        step.cut(m, &format!("{name}_{stage}_q"), net, &format!("stage {stage}: {doc}"))
    };
    let normal = carried(&mut m, "normal", stage, normal, "normalized product");
    let zeros = carried(&mut m, "zeros", stage, zeros, "places it was moved up");
    let exponent = carried(&mut m, "exponent", stage, exponent, "sum of the biased exponents");
    let sign = carried(&mut m, "sign", stage, sign, "sign");
    let non_finite = carried(&mut m, "non_finite", stage, non_finite, "non-finite flag");
    let nonzero = nonzero.map(|nonzero| carried(&mut m, "nonzero", stage, nonzero, "the product is not zero"));
    let offset = m.constant_signed(FIELD_OFFSET, EXPONENT_BITS);
    let exponent = m.extend(exponent, EXPONENT_BITS);
    let exponent = m.as_signed(exponent);
    let field = m.add(exponent, offset);
    let field = m.truncate(field, EXPONENT_BITS);
    let zeros = m.extend(zeros, EXPONENT_BITS);
    let zeros = m.as_signed(zeros);
    let field = m.sub(field, zeros);
    let field = m.truncate(field, EXPONENT_BITS);
    let field = m.as_unsigned(field);
    let packed = round_and_pack(&mut m, field, normal, FRACTION, "single");
    let single = m.name(packed, "single", "binary32 product: exponent on FP16's scale, fraction");
    let stage = stage + 1;
    let single = carried(&mut m, "single", stage, single, "binary32 product");
    let sign = carried(&mut m, "sign", stage, sign, "sign");
    let non_finite = carried(&mut m, "non_finite", stage, non_finite, "non-finite flag");
    let nonzero = nonzero.map(|nonzero| carried(&mut m, "nonzero", stage, nonzero, "the product is not zero"));
    let fraction = m.slice(single, 0, FRACTION);
    let field = m.slice(single, FRACTION, EXPONENT_BITS);
    let field = m.as_signed(field);
    let scaled = m.extend(fraction_bits, EXPONENT_BITS);
    let scaled = m.as_signed(scaled);
    let field = m.sub(field, scaled);
    let field = m.name(field, "field", "FP16 exponent field, out of range for subnormals and overflow");

    // Subnormal outputs lose 1 - field bits, kept as guard and sticky.
    let one = m.constant_signed(1, EXPONENT_BITS + 1);
    let is_subnormal = m.lt(field, one);
    let lost = m.sub(one, field);
    let limit = m.constant_signed(15, lost.width);
    let is_far = m.lt(limit, lost);
    let lost = m.mux(is_far, limit, lost);
    let lost = m.slice(lost, 0, 4);
    let lost = gate(&mut m, is_subnormal, lost);
    let lost = m.name(lost, "lost_bits", "bits that a subnormal output loses");
    let stage = stage + 1;
    let lost = carried(&mut m, "lost_bits", stage, lost, "bits that a subnormal output loses");
    let fraction = carried(&mut m, "fraction", stage, fraction, "fraction of the binary32 product");
    let hidden = m.constant(1, 1);
    let significand = m.concat(&[fraction, hidden]);
    let shifted = shift_right_sticky(&mut m, significand, lost, "significand");
    let limit = m.constant_signed(30, EXPONENT_BITS + 1);
    let overflows = m.lt(limit, field);
    let overflows = m.name(overflows, "overflows", "the output is infinite");
    let low_field = m.slice(field, 0, 5);
    let normal = m.not(is_subnormal);
    let low_field = gate(&mut m, normal, low_field);
    let overflows = carried(&mut m, "overflows", stage, overflows, "the output is infinite");
    let low_field = carried(&mut m, "low_field", stage, low_field, "FP16 exponent field");
    let sign = carried(&mut m, "sign", stage, sign, "sign");
    let non_finite = carried(&mut m, "non_finite", stage, non_finite, "non-finite flag");
    let nonzero = nonzero.map(|nonzero| carried(&mut m, "nonzero", stage, nonzero, "the product is not zero"));
    let half = round_and_pack(&mut m, low_field, shifted, 10, "half");
    let infinity = m.constant(0x7C00, 15);
    let half = m.mux(overflows, infinity, half);
    let half = m.concat(&[half, sign]);
    let nonzero = nonzero.unwrap_or_else(|| m.reduce_or(product));
    let half = gate(&mut m, nonzero, half);
    let nan = m.constant(u64::from(CANONICAL_NAN), 16);
    let half = m.mux(non_finite, nan, half);
    let output = m.reg("output_q", half, enable, None, "output register");
    m.output("output_o", output, "FP16 output");
    m.finish()
}
