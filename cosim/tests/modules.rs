//! Modules alone against host arithmetic: what FP16 outputs of whole programs hide shows here.

mod common;

use bitmosaic_arch::{DesignSpec, Digits, Machine, PeKind, elaborate, parse, presets};
use bitmosaic_cosim::random::Random;
use bitmosaic_numerics::{DigitSet, ScaleKind, TermTable, registry};
use bitmosaic_rtl::hardware::build;
use common::{CHECKS, check_of, module, output_stage, scale_unit, with_accumulators};

/// The default tile with changes.
fn machine(change: impl Fn(&mut DesignSpec)) -> Machine {
    let mut spec = parse(presets()[0].text, "preset").unwrap();
    change(&mut spec);
    elaborate(&spec, "test").unwrap()
}

fn check(name: &str, machine: &Machine) {
    let units = build(machine).unwrap();
    let check = check_of(name).unwrap();
    if let Err(difference) = check(machine, module(&units, name)) {
        panic!("{name} of {:?}: {difference}", machine.pe);
    }
}

#[test]
fn presets_have_the_modules_and_pass_their_checks() {
    for preset in presets() {
        let machine = machine(|spec| *spec = parse(preset.text, "preset").unwrap());
        for (name, _) in CHECKS {
            let units = build(&machine).unwrap();
            if units.designs().any(|design| design.module(name).is_some()) {
                check(name, &machine);
            }
        }
    }
}

#[test]
fn align_lanes_of_every_width_pass() {
    // 12 keeps the significand, fewer bits round at the top and saturate.
    for w in [8, 9, 10, 11, 12, 13, 15, 16, 18, 21, 24] {
        for registers in [0, 1] {
            let machine = machine(|spec| {
                spec.processing_element.significand_bits = Some(w);
                spec.float_pipeline_registers = registers;
            });
            check("align_lane", &machine);
        }
    }
}

#[test]
fn scale_units_of_every_width_and_length_pass() {
    // Few bits convert exactly; few PEs need padding slots; the loop takes two cycles or five.
    for (w, lanes, pes, group) in
        [(8, 1, 1, 1), (8, 1, 2, 4), (9, 2, 4, 16), (12, 4, 1, 64), (18, 8, 8, 128), (24, 8, 64, 128)]
    {
        for (registers, accumulator_blocks) in [(0, 1), (1, 1), (0, 2), (1, 8)] {
            let machine = machine(|spec| {
                spec.processing_element.significand_bits = Some(w);
                spec.processing_element.lanes = lanes;
                spec.scale_unit = Some(bitmosaic_arch::ScaleUnitSpec { pes_per_scale_unit: pes });
                spec.weights.max_group = group;
                spec.float_pipeline_registers = registers;
                with_accumulators(spec, accumulator_blocks);
            });
            check("scale_unit", &machine);
        }
    }
}

#[test]
fn output_stages_with_registers_within_their_steps_pass() {
    check("output_stage", &machine(|spec| spec.float_pipeline_registers = 1));
}

#[test]
fn term_generators_of_every_type_pass() {
    // Narrow and wide types side by side, in two sets and all at once. Digits in two's complement hold all of them too.
    for (digits, first, step, lanes) in [
        (Digits::Radix4, 0, 2, 1),
        (Digits::Radix4, 1, 2, 4),
        (Digits::Radix4, 0, 1, 2),
        (Digits::Radix4, 0, 3, 8),
        (Digits::Radix4, 1, 3, 16),
        (Digits::Paper, 0, 1, 2),
        (Digits::Radix8, 0, 1, 2),
        (Digits::Radix8, 1, 3, 16),
        (Digits::Radix16, 0, 1, 2),
        (Digits::Radix16, 1, 3, 16),
        (Digits::Whole, 0, 1, 2),
        (Digits::Whole, 1, 3, 16),
        (Digits::Shifted, 0, 1, 2),
        (Digits::Shifted, 1, 3, 16),
    ] {
        check(
            "term_generator",
            &machine(|spec| {
                spec.processing_element.kind = kind_of(digits);
                spec.processing_element.digits = digits;
                spec.processing_element.lanes = lanes;
                let types = executable(digits).into_iter().filter(|name| lanes > 1 || name != "olive4");
                spec.weights.types = types.skip(first).step_by(step).collect();
                spec.weights.scales = all_scales();
            }),
        );
    }
    for digits in [Digits::Radix4, Digits::Radix16, Digits::Whole, Digits::Shifted] {
        for name in executable(digits) {
            let only = |spec: &mut DesignSpec| {
                (spec.processing_element.kind, spec.processing_element.digits) = (kind_of(digits), digits);
                spec.weights.types = vec![name.clone()];
                spec.weights.scales = all_scales();
            };
            check("term_generator", &machine(only));
        }
    }
}

/// Types that machines with these digits execute, `radix4` for the sets of bit-serial PEs.
fn executable(digits: Digits) -> Vec<String> {
    let set = match digits {
        Digits::Radix16 => DigitSet::Radix16,
        Digits::Whole => DigitSet::Whole,
        Digits::Shifted => DigitSet::Shifted,
        Digits::Radix4 | Digits::Paper | Digits::Radix8 => DigitSet::Radix4,
    };
    registry().iter().filter(|t| TermTable::new(t, set).is_ok()).map(|t| t.name.to_string()).collect()
}

fn kind_of(digits: Digits) -> PeKind {
    match digits {
        Digits::Radix16 | Digits::Whole | Digits::Shifted => PeKind::Fp16Int,
        Digits::Radix4 | Digits::Paper | Digits::Radix8 => PeKind::BitSerialBlock,
    }
}

fn all_scales() -> Vec<String> {
    ScaleKind::ALL.map(|kind| kind.name().to_string()).to_vec()
}

#[test]
fn scale_decoders_of_every_set_of_kinds_pass() {
    for set in 1..16usize {
        for zero_points in [None, Some("int2-asym"), Some("int8-asym")] {
            let kinds: Vec<String> =
                all_scales().into_iter().enumerate().filter(|(i, _)| set >> i & 1 == 1).map(|k| k.1).collect();
            let own = if kinds[0] == "int8" {
                "int4"
            } else if kinds[0] == "e8m0" {
                "mx-fp4"
            } else {
                "nvfp4"
            };
            let machine = |spec: &mut DesignSpec| {
                spec.weights.types = zero_points.into_iter().chain([own]).map(String::from).collect();
                spec.weights.scales = kinds.clone();
            };
            let mut spec = parse(presets()[0].text, "preset").unwrap();
            machine(&mut spec);
            // Types whose own kind is not in the set cannot be named.
            let Ok(machine) = elaborate(&spec, "test") else { continue };
            if machine.scale_unit.decode_cycles > 0 {
                check("scale_decoder", &machine);
                check("scale_unit", &machine);
            }
        }
    }
}

#[test]
fn scale_unit_slots_reach_what_they_should() {
    let found = scale_unit::census(&machine(|_| ()));
    let scale_unit::Census { zero, cancelled, ties, swapped, level, far, product_ties } = found;
    let counts = [zero, cancelled, ties, swapped, level, far, product_ties];
    assert!(counts.iter().all(|count| *count >= 200), "{found:?}");
}

/// The stimulus is worth its name only if it has the cases it is made for.
#[test]
fn output_values_reach_what_they_should() {
    let mut random = Random::new(1);
    let (mut double, mut subnormal, mut infinite, mut largest, mut away) = (0, 0, 0, 0, 0);
    for fraction_bits in 0..=output_stage::FRACTION_BITS {
        for vector in output_stage::vectors(&mut random, fraction_bits).iter().filter(|v| !v.non_finite) {
            let output = vector.expected(fraction_bits);
            double += u32::from(output != vector.rounded_once(fraction_bits));
            let magnitude = output & 0x7FFF;
            subnormal += u32::from((1..0x400).contains(&magnitude));
            infinite += u32::from(magnitude == 0x7C00);
            largest += u32::from(magnitude == 0x7BFF);
            away += u32::from(magnitude == 0 && vector.accumulator != 0.0 && vector.channel.to_f32() != 0.0);
        }
    }
    let counts = [double, subnormal, infinite, largest, away];
    assert!(
        counts.iter().all(|count| *count >= 500),
        "two roundings that differ from one, subnormal, infinite, 65504, rounded to zero: {counts:?}"
    );
}
