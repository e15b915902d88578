//! Widths of the `fp16-mac` processing element.

use bitmosaic_numerics::ScaleKind;

use crate::check::Check;
use crate::elaborate::{Common, bits, ceil_log2, guard_bits, sharing};
use crate::machine::{FloatPe, Pe, PeWidths, ScaleUnit};
use crate::{ArchError, DesignSpec, Digits, TermOrder};

/// Bits of a product of two FP16 significands.
const SIGNIFICAND_BITS: u32 = 22;

/// The PE and its scale units: FP16 weights in one term, group sums with exponents of their own, scaled by shared units.
pub(crate) fn fp16_mac(spec: &DesignSpec, check: &Check, common: Common) -> Result<(Pe, ScaleUnit), ArchError> {
    let element = &spec.processing_element;
    let (guard_bits, accumulator_guard_bits) = guard_bits(spec, check)?;
    let (pes, units) = sharing(spec, check, common)?;
    let given = element.digits != Digits::default();
    check.absent("processing_element.digits", given.then_some(element.digits))?;
    let order = element.order == TermOrder::WeightMajor;
    check.that("processing_element.order", format!("{:?}", element.order), order, "this kind is `weight-major`")?;
    let integers = !ScaleKind::any_has_exponents(common.scale_kinds);
    let found = format!("{:?}", spec.weights.scales);
    check.that("weights.scales", found, integers, "FP16 weights have `int8` scales of 1 alone")?;
    let sum_bits = SIGNIFICAND_BITS + guard_bits + ceil_log2(common.lanes) + 1;
    // At most 22 + 8 + 8 + 1 and the largest group: with a scale code within 64 bits.
    let accumulator_bits = sum_bits + accumulator_guard_bits + ceil_log2(common.max_group / common.lanes);
    let exponent_bits = bits(30 + 30);
    let significand_bits = ScaleKind::Int8.significand_bits();
    let pe = Pe {
        lanes: common.lanes,
        activation_bits: 16,
        weight_magnitude_bits: common.weight_magnitude_bits,
        accumulator_bits,
        digit_set: common.digit_set,
        digit_bits: common.digit_bits,
        order: element.order,
        pipeline_registers: element.pipeline_registers,
        kind: PeWidths::Mac(FloatPe {
            significand_bits: SIGNIFICAND_BITS,
            guard_bits,
            accumulator_guard_bits,
            sum_bits,
            exponent_bits,
            held_bits: accumulator_bits,
        }),
    };
    let scale_unit = ScaleUnit {
        pes,
        units,
        dequantize_cycles: 0,
        slots: common.slots(pes),
        accumulator_blocks: common.accumulator_blocks,
        decode_cycles: 0,
        significand_bits,
        product_bits: accumulator_bits + significand_bits,
        exponent_bits,
        step_registers: common.steps.registers,
        convert_cycles: common.steps.convert_cycles,
        loop_cycles: common.steps.loop_cycles,
        output_cycles: common.steps.output_cycles,
        output_latency_cycles: common.steps.output_latency_cycles(),
        exponent_offset: -26 - (guard_bits + accumulator_guard_bits) as i32,
    };
    Ok((pe, scale_unit))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn widths_of_the_fp16_tile() {
        let machine = crate::load("fp16-tile").unwrap();
        let PeWidths::Mac(widths) = &machine.pe.kind else { panic!("{:?}", machine.pe.kind) };
        // 4 lanes, groups to 256, 3 and 2 guard bits: sums of 2 bits more and a sign, 64 of them.
        assert_eq!((widths.sum_bits, widths.exponent_bits), (22 + 3 + 2 + 1, 6));
        assert_eq!((machine.pe.accumulator_bits, machine.scale_unit.product_bits), (28 + 2 + 6, 44));
        assert_eq!((machine.scale_unit.exponent_offset, machine.pe.digit_bits, machine.code_bits), (-31, 17, 16));
        assert_eq!((machine.max_terms, machine.scale_unit.dequantize_cycles), (1, 0));
        assert!(machine.aligner.is_none() && machine.tile.exponent_beat_bits.is_none());
    }

    #[test]
    fn other_types_digits_and_scales_are_refused_with_the_reason() {
        let preset = crate::presets().iter().find(|preset| preset.name == "fp16-tile").unwrap();
        let refuse = |change: fn(&mut DesignSpec), field: &str, remedy: &str| {
            let mut spec = crate::parse(preset.text, "preset").unwrap();
            change(&mut spec);
            let error = crate::elaborate(&spec, "x.toml").unwrap_err().to_string();
            assert!(error.contains(field) && error.contains(remedy), "{error}");
        };
        refuse(
            |s| s.weights.types = vec!["int4".into()],
            "weights.types[0]",
            "host only: weights of type `int4` are no FP16",
        );
        refuse(|s| s.weights.scales = vec!["int8".into(), "fp16".into()], "weights.scales", "of 1 alone");
        refuse(|s| s.processing_element.digits = Digits::Whole, "processing_element.digits", "remove it");
        refuse(|s| s.processing_element.order = TermOrder::PlaneMajor, "processing_element.order", "weight-major");
        refuse(|s| s.processing_element.guard_bits = None, "processing_element.guard_bits", "needs it");
        refuse(|s| s.processing_element.significand_bits = Some(14), "significand_bits", "remove it");
        refuse(|s| s.scale_unit = None, "scale_unit", "needs it");
    }
}
