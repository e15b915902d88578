//! Scale decoder: a slot's last registers before the multiplication. It subtracts zero point × sum of the activations from the
//! group sum and takes the group scale's code apart into significand and exponent.

use bitmosaic_arch::{EXPONENT_BITS, Machine};
use bitmosaic_numerics::{SMALLEST_SCALE_EXPONENT, ScaleKind};

use super::index_bits;
use crate::netlist::{Module, ModuleBuilder, Net, NetlistError};

/// Bits of a scale's exponent, less the smallest.
const SCALE_EXPONENT_BITS: u32 = 6;
const _: () = assert!(bitmosaic_numerics::LARGEST_SCALE_EXPONENT - SMALLEST_SCALE_EXPONENT < 1 << SCALE_EXPONENT_BITS);

/// Bits of the kind's place in `ScaleKind::ALL`, as commands name it.
pub(super) fn kind_bits() -> u32 {
    index_bits(ScaleKind::ALL.len() as u32)
}

/// Module `scale_decoder`.
pub(super) fn scale_decoder(machine: &Machine) -> Result<Module, NetlistError> {
    let unit = &machine.scale_unit;
    let kinds = machine.scale_kinds.iter().map(|kind| kind.name()).collect::<Vec<_>>().join(", ");
    let mut m = ModuleBuilder::new(
        "scale_decoder",
        &format!("Scale decoder: group sum less zero point * activations; significand and exponent of {kinds} scales."),
    );
    let sum = m.input_signed("sum_i", machine.pe.accumulator_bits, "group sum at the head of the hold chain");
    let zero = (machine.zero_point_bits > 0).then(|| {
        let zero = m.input_signed("zero_point_i", machine.zero_point_bits, "zero point of its column's group");
        let sum_bits = machine.activation_sum_bits;
        (zero, m.input_signed("activation_sum_i", sum_bits, "sum of the aligned activations of its row's group"))
    });
    let code = m.input("scale_i", machine.scale_code_bits, "group scale code of its column");
    let several = machine.scale_kinds.len() > 1;
    let kind = several.then(|| m.input("scale_kind_i", kind_bits(), "kind of group scale of the command"));
    let exponent = m.input("exponent_i", EXPONENT_BITS, "shared exponent of its row's group");
    let channel = m.input("channel_i", 16, "FP16 channel scale of its column");
    let non_finite = m.input("non_finite_i", 1, "the token has a NaN or an infinity");
    let advance = m.input("advance_i", 1, "the pipeline moves");
    let enable = Some(advance);

    let sum = match zero {
        Some((zero, activations)) => {
            let offset = m.mul(zero, activations);
            let sum = m.sub(sum, offset);
            m.truncate(sum, machine.pe.accumulator_bits)
        }
        None => sum,
    };
    let sum = m.reg("sum_q", sum, enable, None, "group sum less zero point * activations");

    // Scales are not negative, and a power of two has no use for all of its bits.
    m.ignore(code);
    let mut decoded: Option<(Net, Net)> = None;
    for candidate in &machine.scale_kinds {
        let (significand, exponent) = decode(&mut m, *candidate, code);
        let significand = m.extend(significand, unit.significand_bits);
        decoded = Some(match (decoded, kind) {
            (Some((other, other_exponent)), Some(kind)) => {
                let index = m.constant(candidate.index() as u64, kind.width);
                let chosen = m.eq(kind, index);
                (m.mux(chosen, significand, other), m.mux(chosen, exponent, other_exponent))
            }
            _ => (significand, exponent),
        });
    }
    let (significand, scale_exponent) = decoded.unwrap_or((code, code));
    let significand = m.reg("significand_q", significand, enable, None, "significand of the group scale");
    let exponent = if ScaleKind::any_has_exponents(&machine.scale_kinds) {
        let total = m.add(exponent, scale_exponent);
        if total.width > unit.exponent_bits { m.truncate(total, unit.exponent_bits) } else { total }
    } else {
        exponent
    };
    let exponent = m.reg("exponent_q", exponent, enable, None, "shared exponent, and the scale's if it has one");
    let channel = m.reg("channel_q", channel, enable, None, "channel scale");
    let non_finite = m.reg("non_finite_q", non_finite, enable, None, "non-finite flag");

    m.output("sum_o", sum, "group sum less zero point * activations");
    m.output("significand_o", significand, "significand of the group scale");
    m.output("exponent_o", exponent, "shared exponent, and the scale's if it has one");
    m.output("channel_o", channel, "channel scale");
    m.output("non_finite_o", non_finite, "non-finite flag");
    m.finish()
}

/// Significand, and exponent less the smallest, of a code.
fn decode(m: &mut ModuleBuilder, kind: ScaleKind, code: Net) -> (Net, Net) {
    let bits = SCALE_EXPONENT_BITS;
    match kind {
        ScaleKind::Int8 => (m.slice(code, 0, 8), m.constant(-SMALLEST_SCALE_EXPONENT as u64, bits)),
        ScaleKind::E8m0 => {
            let code = m.slice(code, 0, 8);
            let smallest = m.constant((127 + SMALLEST_SCALE_EXPONENT) as u64, 8);
            let exponent = m.sub(code, smallest);
            let exponent = m.truncate(exponent, bits);
            (m.constant(1, 1), m.as_unsigned(exponent))
        }
        ScaleKind::E4m3 => float(m, code, (3, 4), 10),
        ScaleKind::Fp16 => float(m, code, (10, 5), 25),
    }
}

/// An unsigned float of `fraction` and `exponent` bits: `significand · 2^(max(field, 1) - bias)`.
fn float(m: &mut ModuleBuilder, code: Net, (fraction, exponent): (u32, u32), bias: i32) -> (Net, Net) {
    let field = m.slice(code, fraction, exponent);
    let low = m.slice(code, 0, fraction);
    let hidden = m.reduce_or(field);
    let significand = m.concat(&[low, hidden]);
    let one = m.constant(1, exponent);
    let field = m.mux(hidden, field, one);
    // Subtracting the smallest exponent, too.
    let offset = -bias - SMALLEST_SCALE_EXPONENT;
    let field = m.extend(field, SCALE_EXPONENT_BITS);
    let constant = m.constant(offset.unsigned_abs().into(), SCALE_EXPONENT_BITS);
    let exponent = if offset < 0 { m.sub(field, constant) } else { m.add(field, constant) };
    let exponent = m.truncate(exponent, SCALE_EXPONENT_BITS);
    (significand, m.as_unsigned(exponent))
}
