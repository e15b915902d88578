use bitmosaic_numerics::{
    DigitSet, LARGEST_SCALE_EXPONENT, MAX_GROUP, SMALLEST_SCALE_EXPONENT, ScaleKind, TermTable, registry, weight_type,
};
use sha2::{Digest as _, Sha256};

use crate::array::{elaborate_array, entry_channels};
use crate::check::Check;
use crate::digits::{PAIRS_EXPECTED, digit_bits, digit_set, fits_lanes, largest_digit, largest_shift};
use crate::fp16_mac::fp16_mac;
use crate::machine::{
    Aligner, BlockPe, EXPONENT_BITS, ExecutedType, FloatPe, IntPe, Machine, Pe, PeWidths, ScaleUnit, Tile,
};
use crate::steps::Steps;
use crate::{ArchError, DesignSpec, PeKind, TermOrder};

/// Widest sum the netlist's arithmetic and the simulator's integers hold.
const MAX_PRODUCT_BITS: u32 = 64;
const MAX_TYPES: usize = 32;

/// SHA-256 of a design in canonical TOML form, so that layout and comments of the file do not matter.
pub fn digest(spec: &DesignSpec) -> String {
    digest_with(spec, &[])
}

/// [`digest`], and what the design's user codebooks say, which the description only names.
fn digest_with(spec: &DesignSpec, types: &[ExecutedType]) -> String {
    let mut text = toml::to_string(spec).unwrap_or_default();
    let built_in = registry();
    for t in types.iter().map(|t| &t.weight_type).filter(|t| !built_in.contains(t)) {
        text += &format!("{t:?}");
    }
    Sha256::digest(text.as_bytes()).iter().map(|b| format!("{b:02x}")).collect()
}

/// Derives the machine of a design. `file` names the origin in errors.
///
/// # Errors
/// `Field` with the field's path, the value found and what would be right.
pub fn elaborate(spec: &DesignSpec, file: &str) -> Result<Machine, ArchError> {
    let check = Check { file };
    check.name(&spec.name)?;
    check.range("clock_mhz", spec.clock_mhz, 1, 10_000)?;
    check.range("float_pipeline_registers", spec.float_pipeline_registers, 0, 1)?;
    check.range("tile.rows", spec.tile.rows, 1, 64)?;
    check.range("tile.columns", spec.tile.columns, 1, 64)?;
    let lanes = spec.processing_element.lanes;
    check.range("processing_element.lanes", lanes, 1, 16)?;
    check.that("processing_element.lanes", lanes, lanes.is_power_of_two(), "must be a power of two")?;
    let pipeline_registers = spec.processing_element.pipeline_registers;
    check.range("processing_element.pipeline_registers", pipeline_registers, 0, 2)?;
    let max_group = spec.weights.max_group;
    check.range("weights.max_group", max_group, 1, MAX_GROUP as u32)?;
    check.that(
        "weights.max_group",
        max_group,
        max_group.is_multiple_of(lanes),
        &format!("must be a multiple of the {lanes} lanes"),
    )?;

    let entry_channels = entry_channels(spec, &check)?;

    let (rows, columns) = (spec.tile.rows, spec.tile.columns);
    let digit_set = digit_set(&spec.processing_element);
    let types = executed_types(spec, &check, digit_set)?;
    for (i, t) in types.iter().map(|t| &t.weight_type).enumerate() {
        check.that(&format!("weights.types[{i}]"), t.name, fits_lanes(t, lanes), PAIRS_EXPECTED)?;
    }
    let code_bits = types.iter().map(|t| t.weight_type.code_bits).max().unwrap_or(1);
    let max_terms = types.iter().map(|t| t.table.terms).max().unwrap_or(1) as u32;
    // A programmable special value may be any number its type's digit planes reach.
    let special =
        |t: &ExecutedType| t.weight_type.special.as_ref().map_or(0, |_| bits(digit_set.largest_value(t.table.terms)));
    let weight_magnitude_bits = types.iter().map(|t| t.weight_type.magnitude_bits().max(special(t))).max().unwrap_or(1);

    let scale_kinds = scale_kinds(spec, &check, &types)?;
    let scale_code_bits = scale_kinds.iter().map(|kind| kind.code_bits()).max().unwrap_or(0);
    let with_zero_points = types.iter().filter(|t| t.weight_type.has_zero_point());
    let zero_point_bits = with_zero_points.map(|t| t.weight_type.code_bits).max().unwrap_or(0);
    let common = Common {
        rows,
        columns,
        lanes,
        max_group,
        max_terms,
        weight_magnitude_bits,
        digit_set,
        digit_bits: digit_bits(digit_set, &types),
        types: &types,
        scale_kinds: &scale_kinds,
        zero_points: zero_point_bits > 0,
        steps: Steps::new(spec.float_pipeline_registers),
        accumulator_blocks: spec.buffers.as_ref().map_or(1, |buffers| buffers.accumulator_blocks),
    };
    let (pe, scale_unit) = match spec.processing_element.kind {
        PeKind::BitSerialBlock | PeKind::Fp16Int => block(spec, &check, common)?,
        PeKind::BitSerialFloat => float(spec, &check, common)?,
        PeKind::Fp16Mac => fp16_mac(spec, &check, common)?,
    };
    let activation_sum_bits = if zero_point_bits > 0 { pe.activation_bits + ceil_log2(max_group) } else { 0 };
    let scale_field_bits = scale_code_bits + zero_point_bits;
    let exponent_field_bits = EXPONENT_BITS + 1 + activation_sum_bits;
    let aligner = pe.kind.significand_bits().map(|significand_bits| Aligner {
        values_per_cycle: entry_channels,
        group_beats: max_group / entry_channels,
        output_beat_bits: entry_channels * significand_bits + exponent_field_bits,
        input_registers: common.steps.aligner.0,
        lane_registers: common.steps.aligner.1,
        latency_cycles: 3 + common.steps.aligner.0 + common.steps.aligner.1,
    });
    let mut machine = Machine {
        name: spec.name.clone(),
        summary: spec.summary.clone(),
        design_sha256: digest_with(spec, &types),
        clock_mhz: spec.clock_mhz,
        tile: Tile {
            rows,
            columns,
            weight_beat_bits: columns * (lanes * code_bits + 2),
            activation_beat_bits: rows * lanes * pe.activation_bits,
            scale_field_bits,
            scale_beat_bits: columns * scale_field_bits,
            exponent_field_bits,
            exponent_beat_bits: aligner.is_some().then_some(rows * exponent_field_bits),
            channel_beat_bits: columns * 16,
            output_beat_bits: scale_unit.units * 16,
        },
        pe,
        aligner,
        scale_unit,
        types,
        code_bits,
        scale_kinds,
        scale_code_bits,
        zero_point_bits,
        activation_sum_bits,
        max_terms,
        max_group,
        entry_channels,
        array: None,
        vector_lanes: spec.vector_unit.as_ref().map(|unit| unit.lanes),
    };
    if let Some(unit) = &spec.vector_unit {
        check.range("vector_unit.lanes", unit.lanes, 1, 1024)?;
        check.that("vector_unit", "there", spec.array.is_some(), "only a design with `array` has one")?;
    }
    machine.array = match (&spec.array, &spec.buffers, &spec.memory) {
        (None, None, None) => None,
        (Some(array), Some(buffers), Some(memory)) => Some(elaborate_array((array, buffers, memory), &machine, file)?),
        (array, buffers, _) => {
            let missing = match (array, buffers) {
                (None, _) => "array",
                (_, None) => "buffers",
                _ => "memory",
            };
            return Err(check.error(missing, "missing", "`array`, `buffers` and `memory` go together"));
        }
    };
    Ok(machine)
}

/// What every kind of processing element derives their widths from.
#[derive(Clone, Copy)]
pub(crate) struct Common<'a> {
    pub(crate) rows: u32,
    pub(crate) columns: u32,
    pub(crate) lanes: u32,
    pub(crate) max_group: u32,
    pub(crate) max_terms: u32,
    pub(crate) weight_magnitude_bits: u32,
    pub(crate) digit_set: DigitSet,
    pub(crate) digit_bits: u32,
    pub(crate) types: &'a [ExecutedType],
    pub(crate) scale_kinds: &'a [ScaleKind],
    pub(crate) zero_points: bool,
    pub(crate) steps: Steps,
    pub(crate) accumulator_blocks: u32,
}

impl Common<'_> {
    /// Slots of a group: one a PE, at least the loop of the adder; a memory is read an edge ahead of registers.
    pub(crate) fn slots(&self, pes: u32) -> u32 {
        pes.max(self.steps.loop_cycles + u32::from(self.accumulator_blocks > 1))
    }
}

/// PEs that a scale unit serves, and units in the tile.
pub(crate) fn sharing(spec: &DesignSpec, check: &Check, common: Common) -> Result<(u32, u32), ArchError> {
    let (rows, all) = (common.rows, common.rows * common.columns);
    let field = "scale_unit.pes_per_scale_unit";
    let pes = check.given("scale_unit", spec.scale_unit.as_ref())?.pes_per_scale_unit;
    check.range(field, pes, 1, all)?;
    check.that(field, pes, all.is_multiple_of(pes), &format!("must divide the {all} PEs of the tile"))?;
    let whole = pes.is_multiple_of(rows) || rows.is_multiple_of(pes);
    check.that(field, pes, whole, &format!("must divide the {rows} rows or be a multiple of them"))?;
    Ok((pes, all / pes))
}

/// Bits kept below a product's significand and below a cycle's sum.
pub(crate) fn guard_bits(spec: &DesignSpec, check: &Check) -> Result<(u32, u32), ArchError> {
    let element = &spec.processing_element;
    check.absent("processing_element.significand_bits", element.significand_bits)?;
    let field = "processing_element.guard_bits";
    let guard_bits = check.given(field, element.guard_bits)?;
    check.range(field, guard_bits, 0, 8)?;
    let field = "processing_element.accumulator_guard_bits";
    let accumulator_guard_bits = check.given(field, element.accumulator_guard_bits)?;
    check.range(field, accumulator_guard_bits, 0, 8)?;
    Ok((guard_bits, accumulator_guard_bits))
}

fn block(spec: &DesignSpec, check: &Check, common: Common) -> Result<(Pe, ScaleUnit), ArchError> {
    let element = &spec.processing_element;
    let field = "processing_element.significand_bits";
    let w = check.given(field, element.significand_bits)?;
    check.range(field, w, 8, 24)?;
    check.absent("processing_element.guard_bits", element.guard_bits)?;
    check.absent("processing_element.accumulator_guard_bits", element.accumulator_guard_bits)?;
    let (pes, units) = sharing(spec, check, common)?;
    let accumulator_bits = w - 1 + common.weight_magnitude_bits + ceil_log2(common.max_group) + 1;
    // A sum less zero point times activations fits the accumulator's bits: with b-bit codes, |code - zero point| < 2^b, and
    // their magnitude bits are b.
    let significand_bits = common.scale_kinds.iter().map(|kind| kind.significand_bits()).max().unwrap_or(0);
    let product_bits = accumulator_bits + significand_bits;
    check.that(
        "processing_element.significand_bits",
        w,
        product_bits <= MAX_PRODUCT_BITS,
        &format!("the scaled group sum would need {product_bits} bits, at most {MAX_PRODUCT_BITS} are supported"),
    )?;
    let digits_ok = common.digit_set.is_sign_magnitude() != (element.kind == PeKind::Fp16Int);
    let field = "processing_element.digits";
    let expected =
        "`bit-serial-block` has `radix4`, `paper` or `radix8`, `fp16-int` has `radix16`, `whole` or `shifted`";
    check.that(field, format!("{:?}", element.digits), digits_ok, expected)?;
    let lanes_bits = ceil_log2(common.lanes);
    let kind = if element.kind == PeKind::Fp16Int {
        let order = element.order == TermOrder::WeightMajor;
        check.that("processing_element.order", format!("{:?}", element.order), order, "this kind is `weight-major`")?;
        let largest_shift = largest_shift(common.digit_set, common.types);
        // |activation| <= 2^(W-1), so that a product with a symmetric digit has W and the bits of the digit's magnitude.
        let product_bits = match common.digit_set {
            DigitSet::Shifted => w + bits(largest_digit(common.digit_set, common.types)),
            _ => w + common.digit_bits,
        };
        PeWidths::Int(IntPe {
            significand_bits: w,
            multiplier_bits: common.digit_bits - bits(largest_shift),
            largest_shift,
            product_bits,
            tree_bits: product_bits + lanes_bits,
        })
    } else {
        let product_bits = w + ceil_log2(common.digit_set.largest());
        PeWidths::Block(BlockPe {
            significand_bits: w,
            product_bits,
            tree_bits: product_bits + lanes_bits,
            triple_bits: if common.digit_set == DigitSet::Radix8 { w + 2 } else { 0 },
        })
    };
    let pe = Pe {
        lanes: common.lanes,
        activation_bits: w,
        weight_magnitude_bits: common.weight_magnitude_bits,
        accumulator_bits,
        digit_set: common.digit_set,
        digit_bits: common.digit_bits,
        order: element.order,
        pipeline_registers: element.pipeline_registers,
        kind,
    };
    let with_exponents = ScaleKind::any_has_exponents(common.scale_kinds);
    let scale_exponents = (LARGEST_SCALE_EXPONENT - SMALLEST_SCALE_EXPONENT) as u32;
    let decode_cycles = u32::from(with_exponents || common.zero_points);
    let scale_unit = ScaleUnit {
        pes,
        units,
        dequantize_cycles: 0,
        slots: common.slots(pes),
        accumulator_blocks: common.accumulator_blocks,
        decode_cycles,
        significand_bits,
        product_bits,
        exponent_bits: if with_exponents { bits(31 + scale_exponents) } else { EXPONENT_BITS },
        step_registers: common.steps.registers,
        convert_cycles: common.steps.convert_cycles,
        loop_cycles: common.steps.loop_cycles,
        output_cycles: common.steps.output_cycles,
        output_latency_cycles: common.steps.output_latency_cycles() + decode_cycles,
        exponent_offset: -25 - (w as i32 - 12) + if with_exponents { SMALLEST_SCALE_EXPONENT } else { 0 },
    };
    Ok((pe, scale_unit))
}

fn float(spec: &DesignSpec, check: &Check, common: Common) -> Result<(Pe, ScaleUnit), ArchError> {
    let element = &spec.processing_element;
    check.absent("scale_unit", spec.scale_unit.as_ref())?;
    let digits = common.digit_set == DigitSet::Radix4;
    check.that("processing_element.digits", format!("{:?}", element.digits), digits, "this kind has `radix4`")?;
    let order = element.order == TermOrder::WeightMajor;
    check.that("processing_element.order", format!("{:?}", element.order), order, "this kind is `weight-major`")?;
    let integers = !ScaleKind::any_has_exponents(common.scale_kinds);
    check.that(
        "weights.scales",
        format!("{:?}", spec.weights.scales),
        integers,
        "the dequantizer takes `int8` alone",
    )?;
    let expected = "`bit-serial-float` has no place for zero points: remove the types that have them";
    check.that("weights.types", format!("{:?}", spec.weights.types), !common.zero_points, expected)?;
    let (guard_bits, accumulator_guard_bits) = guard_bits(spec, check)?;
    let sum_bits = 11 + guard_bits + ceil_log2(common.lanes) + 1;
    let steps = common.max_group / common.lanes * common.max_terms;
    let accumulator_bits = sum_bits + accumulator_guard_bits + ceil_log2(steps);
    let exponent_bits = bits(30 + 2 + 2 * (common.max_terms - 1));
    let dequantize_cycles = 8;
    let pe = Pe {
        lanes: common.lanes,
        activation_bits: 16,
        weight_magnitude_bits: common.weight_magnitude_bits,
        accumulator_bits,
        digit_set: common.digit_set,
        digit_bits: common.digit_bits,
        order: element.order,
        pipeline_registers: element.pipeline_registers,
        kind: PeWidths::Float(FloatPe {
            significand_bits: 11,
            guard_bits,
            accumulator_guard_bits,
            sum_bits,
            exponent_bits,
            held_bits: accumulator_bits + 8,
        }),
    };
    let scale_unit = ScaleUnit {
        pes: common.rows,
        units: common.columns,
        dequantize_cycles,
        slots: dequantize_cycles + common.slots(common.rows),
        accumulator_blocks: common.accumulator_blocks,
        decode_cycles: 0,
        significand_bits: ScaleKind::Int8.significand_bits(),
        product_bits: accumulator_bits + 8,
        exponent_bits,
        step_registers: common.steps.registers,
        convert_cycles: common.steps.convert_cycles,
        loop_cycles: common.steps.loop_cycles,
        output_cycles: common.steps.output_cycles,
        output_latency_cycles: common.steps.output_latency_cycles(),
        exponent_offset: -25 - (guard_bits + accumulator_guard_bits) as i32,
    };
    Ok((pe, scale_unit))
}

fn executed_types(spec: &DesignSpec, check: &Check, digit_set: DigitSet) -> Result<Vec<ExecutedType>, ArchError> {
    let names = &spec.weights.types;
    check.that("weights.types", format!("{names:?}"), !names.is_empty(), "name at least one weight type")?;
    check.that("weights.types", names.len(), names.len() <= MAX_TYPES, "at most 32 types")?;
    let mut types: Vec<ExecutedType> = Vec::new();
    for (i, name) in names.iter().enumerate() {
        let field = format!("weights.types[{i}]");
        let weight_type = weight_type(name).map_err(|e| check.error(&field, name, &e.to_string()))?;
        check.that(&field, name, types.iter().all(|t| t.weight_type.name != weight_type.name), "is named twice")?;
        let host_only = |e| check.error(&field, name, &format!("the type is host only: {e}"));
        let table = TermTable::new(&weight_type, digit_set).map_err(host_only)?;
        types.push(ExecutedType { weight_type, table });
    }
    Ok(types)
}

fn scale_kinds(spec: &DesignSpec, check: &Check, types: &[ExecutedType]) -> Result<Vec<ScaleKind>, ArchError> {
    let names = &spec.weights.scales;
    check.that("weights.scales", format!("{names:?}"), !names.is_empty(), "name at least one kind of group scale")?;
    let mut kinds = Vec::new();
    for (i, name) in names.iter().enumerate() {
        let field = format!("weights.scales[{i}]");
        let kind = ScaleKind::named(name).map_err(|e| check.error(&field, name, &e.to_string()))?;
        check.that(&field, name, !kinds.contains(&kind), "is named twice")?;
        kinds.push(kind);
    }
    for t in types.iter().map(|t| &t.weight_type) {
        let kind = t.scale_kind();
        let expected = format!("`{}` weights have `{}` group scales: add the kind", t.name, kind.name());
        check.that("weights.scales", format!("{names:?}"), kinds.contains(&kind), &expected)?;
    }
    kinds.sort_unstable();
    Ok(kinds)
}

pub(crate) fn bits(value: u32) -> u32 {
    u32::BITS - value.leading_zeros()
}

pub(crate) fn ceil_log2(value: u32) -> u32 {
    bits(value.saturating_sub(1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ArraySpec, Digits, ScaleUnitSpec, presets};

    #[test]
    fn widths_of_the_default_tile() {
        let machine = crate::load("mosaic-tile").unwrap();
        // W 16, 8 lanes, groups to 256, INT8 down to -128 (8 bits).
        assert_eq!(
            machine.pe.kind,
            PeWidths::Block(BlockPe { significand_bits: 16, product_bits: 18, tree_bits: 21, triple_bits: 0 })
        );
        assert_eq!(machine.pe.accumulator_bits, 15 + 8 + 8 + 1);
        assert_eq!(machine.scale_unit.units, 2);
        assert_eq!(machine.scale_unit.exponent_offset, -29);
        assert_eq!(machine.pe_of_unit(1, 0), Some((0, 4)));
        assert_eq!(machine.pe_of_unit(1, 31), Some((7, 7)));
        assert_eq!(machine.pe_of_unit(0, 32), None);
    }

    /// A digit has the bits of the values executed; a sum of lanes those of W-bit integers times digits.
    #[test]
    fn widths_of_bit_parallel_elements() {
        let widths = |digits, types: &[&str]| {
            let mut spec = crate::parse(presets()[0].text, "preset").unwrap();
            (spec.processing_element.kind, spec.processing_element.digits) = (PeKind::Fp16Int, digits);
            spec.weights.types = types.iter().map(|t| t.to_string()).collect();
            let machine = elaborate(&spec, "test").unwrap();
            let PeWidths::Int(int) = machine.pe.kind else { panic!("{:?}", machine.pe.kind) };
            assert_eq!((int.significand_bits, int.tree_bits), (16, int.product_bits + 3));
            (machine.pe.digit_bits, int.product_bits, machine.max_terms)
        };
        assert_eq!(widths(Digits::Whole, &["int4", "int8"]), (8, 24, 1));
        assert_eq!(widths(Digits::Whole, &["int4", "fp4"]), (5, 21, 1)); // 12
        assert_eq!(widths(Digits::Whole, &["int4"]), (4, 20, 1));
        assert_eq!(widths(Digits::Whole, &["bitmod-fp4"]), (8, 24, 1));
        assert_eq!(widths(Digits::Radix16, &["int4", "int8"]), (5, 21, 2));
        // 16 is 4 · 2^2, a 2-bit shift; 96 is 6 · 2^4. Without shifts it is the integer's bits.
        assert_eq!(widths(Digits::Shifted, &["int4", "flint4"]), (6, 21, 1));
        assert_eq!(widths(Digits::Shifted, &["int4"]), (4, 20, 1));
        assert_eq!(widths(Digits::Shifted, &["ternary"]), (2, 17, 1));
        assert_eq!(widths(Digits::Shifted, &["olive4"]), (7, 23, 1)); // 96
        assert_eq!(widths(Digits::Shifted, &["bitmod-fp4"]), (7, 23, 1)); // any special value: 112
        assert_eq!(widths(Digits::Shifted, &["int8"]), (5, 20, 2)); // digits up to 8
    }

    #[test]
    fn accumulators_hold_the_largest_group_sum() {
        for preset in presets() {
            let machine = crate::load(preset.name).unwrap();
            let Some(w) = machine.significand_bits() else { continue };
            let activation = 1i64 << (w - 1);
            let weight = (1i64 << machine.pe.weight_magnitude_bits) - 1;
            let largest = activation * weight * i64::from(machine.max_group);
            assert!(largest < 1 << (machine.pe.accumulator_bits - 1), "{}", preset.name);
        }
    }

    #[test]
    fn impossible_fields_are_named_with_the_remedy() {
        let base = crate::parse(presets()[0].text, "preset").unwrap();
        let refuse = |change: fn(&mut DesignSpec), field: &str, remedy: &str| {
            let mut spec = base.clone();
            change(&mut spec);
            let error = elaborate(&spec, "x.toml").unwrap_err().to_string();
            assert!(error.contains("x.toml") && error.contains(field) && error.contains(remedy), "{error}");
        };
        refuse(|s| s.processing_element.lanes = 0, "processing_element.lanes", "must be 1 to 16");
        refuse(|s| s.processing_element.lanes = 3, "processing_element.lanes", "power of two");
        refuse(|s| s.weights.max_group = 100, "weights.max_group", "multiple of the 8 lanes");
        refuse(|s| s.weights.max_group = 512, "weights.max_group", "1 to 256");
        refuse(|s| s.float_pipeline_registers = 2, "float_pipeline_registers", "must be 0 to 1");
        refuse(|s| s.tile.rows = 0, "tile.rows", "must be 1 to 64");
        refuse(|s| s.tile.columns = u32::MAX, "tile.columns", "must be 1 to 64");
        refuse(
            |s| s.scale_unit = Some(ScaleUnitSpec { pes_per_scale_unit: 5 }),
            "scale_unit.pes_per_scale_unit",
            "must divide the 64 PEs",
        );
        refuse(|s| s.scale_unit = None, "scale_unit", "needs it");
        refuse(|s| s.processing_element.guard_bits = Some(3), "processing_element.guard_bits", "remove it");
        refuse(|s| s.processing_element.digits = Digits::Whole, "processing_element.digits", "`radix4`, `paper`");
        refuse(|s| s.processing_element.kind = PeKind::Fp16Int, "processing_element.digits", "`whole` or `shifted`");
        refuse(|s| s.processing_element.kind = PeKind::Fp16Mac, "weights.types[0]", "no FP16 numbers");
        refuse(|s| s.weights.types = vec!["fp16".into()], "weights.types[0]", "host only: value -1098974756864");
        refuse(
            |s| {
                let element = &mut s.processing_element;
                (element.kind, element.digits) = (PeKind::Fp16Int, Digits::Whole);
                element.order = TermOrder::PlaneMajor;
            },
            "processing_element.order",
            "weight-major",
        );
        refuse(|s| s.weights.types = vec!["int9".into()], "weights.types[0]", "known types: bitmod-fp4");
        refuse(|s| s.weights.types = vec!["fp8-e4m3".into()], "weights.types[0]", "host only: value -229376");
        refuse(
            |s| (s.processing_element.lanes, s.weights.types) = (1, vec!["olive4".into()]),
            "weights.types[0]",
            "in pairs: `processing_element.lanes` must be 2 or more",
        );
        refuse(|s| s.weights.types = vec!["int8".into(), "nf4".into()], "weights.types[1]", "digit planes");
        refuse(|s| s.weights.types = vec!["/nowhere.toml".into()], "weights.types[0]", "codebook `/nowhere.toml`");
        refuse(|s| s.weights.types = vec![], "weights.types", "at least one");
        refuse(|s| s.weights.scales = vec![], "weights.scales", "at least one");
        refuse(|s| s.weights.scales = vec!["int9".into()], "weights.scales[0]", "int8, e8m0, e4m3, fp16");
        refuse(|s| s.weights.types = vec!["mx-fp4".into()], "weights.scales", "`e8m0` group scales: add the kind");
        refuse(|s| s.weights.types = vec!["int4".into(), "int4".into()], "weights.types[1]", "twice");
        refuse(|s| s.name = "../x".into(), "name", "lower case");
        refuse(|s| s.array = Some(ArraySpec { down: 1, across: 1 }), "buffers", "go together");
        let small = crate::parse(presets().iter().find(|p| p.name == "mosaic-small").unwrap().text, "preset").unwrap();
        let refuse = |change: fn(&mut DesignSpec), field: &str, remedy: &str| {
            let mut spec = small.clone();
            change(&mut spec);
            let error = elaborate(&spec, "x.toml").unwrap_err().to_string();
            assert!(error.contains(field) && error.contains(remedy), "{error}");
        };
        refuse(|s| s.buffers.as_mut().unwrap().weight_chunks = 100, "buffers.weight_chunks", "power of two");
        refuse(
            |s| {
                s.processing_element.lanes = 16;
                s.buffers.as_mut().unwrap().activation_chunks = 1 << 16;
            },
            "buffers.activation_chunks",
            "at most 16",
        );
        refuse(
            |s| (s.tile.rows, s.tile.columns, s.array) = (64, 64, Some(ArraySpec { down: 16, across: 16 })),
            "array",
            "at most 65536",
        );
    }
}
