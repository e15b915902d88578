//! Every named fault is found and the localizer names its module; of the mutants of every operation, register and
//! connection only those survive that change nothing, each listed with the reason.

mod common;

use std::collections::{BTreeMap, BTreeSet};

use bitmosaic_arch::{
    ArraySpec, BuffersSpec, DesignSpec, Digits, Machine, MemorySpec, PeWidths, ScaleUnitSpec, TermOrder, elaborate,
    load_spec, parse, presets,
};
use bitmosaic_cosim::array::{ArrayCase, ArrayRun, run_array_engine};
use bitmosaic_cosim::faults::{FAULTS, Mutant, mutant_of, mutants, plant};
use bitmosaic_cosim::random::{Activation, LayerShape, Random, layer};
use bitmosaic_cosim::{Case, Engine, ExternalSettings, cosimulate, localize};
use bitmosaic_numerics::ScaleKind;
use bitmosaic_rtl::hardware::build;
use bitmosaic_sim::memory::MemoryTiming;
use common::equivalents::{EQUIVALENTS, Equivalent};
use common::system::{System, hard_case, systems};
use common::{all_modules, check_of, module, with_accumulators};
use rayon::prelude::*;

#[test]
fn every_named_fault_is_found_and_localized() {
    let tiles = ["mosaic-tile", "bitmod-tile", "figna-mixed-tile", "ant-tile"].map(small_tile);
    let shifted = whole_machine(Digits::Shifted, 4, 1);
    let others = [types_machine(), planes_machine(), steps_machine(), fp16_machine(4, 3, 1), shifted];
    let sound = tiles.into_iter().chain(others).map(|machine| hard_case(&machine)).collect::<Vec<_>>();
    for case in &sound {
        assert_eq!(localize(case, &ExternalSettings::default()).unwrap(), None);
    }
    let missed: Vec<String> = FAULTS
        .par_iter()
        .filter_map(|fault| {
            let planted = sound.iter().find_map(|case| Some((case, mutant_of(&case.units, fault)?)));
            let Some((case, mutant)) = planted else {
                return Some(format!("{}: {} has no {} to change", fault.name, fault.module, fault.place));
            };
            let mut case = case.clone();
            plant(&mut case.units, &mutant).unwrap();
            match localize(&case, &ExternalSettings::default()).unwrap() {
                Some(place) if place.module == fault.module => None,
                other => Some(format!("{}: in {}, localized as {other:?}", fault.name, fault.module)),
            }
        })
        .collect();
    assert!(missed.is_empty(), "{} of {}:\n{}", missed.len(), FAULTS.len(), missed.join("\n"));
}

/// Which of the two is made from a machine that is not the same.
#[derive(Debug, Clone, Copy)]
enum Side {
    Simulator,
    Netlist,
}

type Change = fn(&mut Machine);

/// A field of the machine by one off, on one side.
const MODEL_FAULTS: [(&str, Side, Change); 13] = [
    ("significand bits", Side::Simulator, narrow),
    ("significand bits", Side::Netlist, narrow),
    ("pipeline registers", Side::Simulator, |m| m.pe.pipeline_registers += 1),
    ("pipeline registers", Side::Netlist, |m| m.pe.pipeline_registers -= 1),
    ("slots", Side::Simulator, |m| m.scale_unit.slots += 1),
    ("slots", Side::Netlist, |m| m.scale_unit.slots += 1),
    ("output latency", Side::Simulator, |m| m.scale_unit.output_latency_cycles += 1),
    ("output latency", Side::Netlist, |m| m.scale_unit.output_latency_cycles -= 1),
    ("exponent of aligned activations", Side::Simulator, |m| m.scale_unit.exponent_offset += 1),
    ("exponent of aligned activations", Side::Netlist, |m| m.scale_unit.exponent_offset -= 1),
    ("accumulator bits", Side::Netlist, |m| m.pe.accumulator_bits -= 1),
    ("bits of the scaled sum", Side::Netlist, |m| m.scale_unit.product_bits -= 1),
    ("order of the weight types", Side::Netlist, |m| m.types.reverse()),
];

fn narrow(machine: &mut Machine) {
    machine.pe.activation_bits -= 1;
    if let PeWidths::Block(block) = &mut machine.pe.kind {
        block.significand_bits -= 1;
    }
}

#[test]
fn machines_that_are_not_the_same_are_told_apart() {
    let sound = hard_case(&small_tile("mosaic-tile"));
    let missed = MODEL_FAULTS.par_iter().filter(|(_, side, change)| {
        let mut machine = sound.machine.clone();
        change(&mut machine);
        let case = match side {
            Side::Simulator => Case { machine, ..sound.clone() },
            Side::Netlist => Case { units: build(&machine).unwrap(), ..sound.clone() },
        };
        let result = cosimulate(&case, &[Engine::Netlist], &ExternalSettings::default());
        result.is_ok_and(|r| r.mismatched_bits + r.mismatched_cycles == 0)
    });
    let missed: Vec<(&str, Side)> = missed.map(|(name, side, _)| (*name, *side)).collect();
    assert!(missed.is_empty(), "not found: {missed:?}");
}

/// A quarter of a preset's tile, with types and groups whose sums need the last bit of every width.
fn small_tile(name: &str) -> Machine {
    let mut spec = load_spec(name).unwrap().0;
    (spec.tile.rows, spec.tile.columns) = (4, 4);
    spec.scale_unit = spec.scale_unit.map(|_| ScaleUnitSpec { pes_per_scale_unit: 8 });
    (spec.weights.types, spec.weights.max_group) = (vec!["bitmod-fp4".into(), "int4".into()], 128);
    elaborate(&spec, "test").unwrap()
}

/// A small machine with zero points and every kind of group scale.
fn types_machine() -> Machine {
    let mut spec = parse(presets()[0].text, "preset").unwrap();
    (spec.tile.rows, spec.tile.columns) = (4, 2);
    spec.processing_element.lanes = 4;
    spec.scale_unit = Some(ScaleUnitSpec { pes_per_scale_unit: 2 });
    spec.weights.types = ["int4-asym", "int3-asym", "mx-fp4", "nvfp4", "bitmod-fp3"].map(String::from).to_vec();
    spec.weights.scales = ScaleKind::ALL.map(|kind| kind.name().to_string()).to_vec();
    spec.weights.max_group = 64;
    elaborate(&spec, "test").unwrap()
}

/// A small plane-major machine of radix 8: operands come once a plane, accumulators move between planes, three times each
/// activation comes from the row edge. Its types have one, two and three planes, the last a codebook, since the registry's
/// have large tables.
fn planes_machine() -> Machine {
    let codebook = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/common/three-planes.toml");
    let mut spec = parse(presets()[0].text, "preset").unwrap();
    (spec.tile.rows, spec.tile.columns) = (2, 2);
    let element = &mut spec.processing_element;
    (element.lanes, element.pipeline_registers) = (4, 2);
    (element.digits, element.order) = (Digits::Radix8, TermOrder::PlaneMajor);
    spec.scale_unit = Some(ScaleUnitSpec { pes_per_scale_unit: 2 });
    spec.weights.types = ["bitmod-fp3", "int4", codebook].map(String::from).to_vec();
    spec.weights.max_group = 64;
    elaborate(&spec, "test").unwrap()
}

/// A small machine with registers within its floating-point steps and zero points; as few slots as the loop has cycles, all
/// of them PEs'.
fn steps_machine() -> Machine {
    let mut spec = parse(presets()[0].text, "preset").unwrap();
    (spec.tile.rows, spec.tile.columns) = (5, 1);
    spec.float_pipeline_registers = 1;
    spec.processing_element.lanes = 4;
    spec.processing_element.significand_bits = Some(14);
    spec.scale_unit = Some(ScaleUnitSpec { pes_per_scale_unit: 5 });
    spec.weights.types = ["bitmod-fp4", "int4-asym"].map(String::from).to_vec();
    spec.weights.max_group = 64;
    elaborate(&spec, "test").unwrap()
}

/// A small tile with the accumulators of four passes in memories.
fn memory_machine() -> Machine {
    let mut spec = parse(presets()[0].text, "preset").unwrap();
    spec.processing_element.lanes = 4;
    spec.weights.types = ["bitmod-fp4", "int4"].map(String::from).to_vec();
    spec.weights.max_group = 64;
    (spec.tile.rows, spec.tile.columns) = (2, 4);
    spec.scale_unit = Some(ScaleUnitSpec { pes_per_scale_unit: 4 });
    with_accumulators(&mut spec, 4);
    elaborate(&spec, "test").unwrap()
}

/// A small machine with bit-parallel PEs: integers of one plane and, in halves, two; tables, a special value; pairs where digits
/// have a shift.
fn whole_machine(digits: Digits, lanes: u32, pipeline_registers: u32) -> Machine {
    let preset = presets().iter().find(|p| p.name == "figna-mixed-tile").unwrap();
    let mut spec = parse(preset.text, preset.name).unwrap();
    (spec.tile.rows, spec.tile.columns) = (2, 2);
    let element = &mut spec.processing_element;
    (element.digits, element.lanes, element.pipeline_registers) = (digits, lanes, pipeline_registers);
    spec.scale_unit = Some(ScaleUnitSpec { pes_per_scale_unit: 2 });
    let pairs = (digits == Digits::Shifted).then_some("olive4");
    let types = ["bitmod-fp4", "fp4", "int4", "int6"].into_iter().chain(pairs);
    spec.weights.types = types.map(String::from).collect();
    spec.weights.max_group = 64;
    elaborate(&spec, "test").unwrap()
}

/// A small machine with FP16 weights.
fn fp16_machine(lanes: u32, guard_bits: u32, pipeline_registers: u32) -> Machine {
    let preset = presets().iter().find(|p| p.name == "fp16-tile").unwrap();
    let mut spec = parse(preset.text, preset.name).unwrap();
    (spec.tile.rows, spec.tile.columns) = (2, 2);
    let element = &mut spec.processing_element;
    (element.lanes, element.pipeline_registers) = (lanes, pipeline_registers);
    (element.guard_bits, element.accumulator_guard_bits) = (Some(guard_bits), Some(guard_bits));
    spec.scale_unit = Some(ScaleUnitSpec { pes_per_scale_unit: 2 });
    spec.weights.max_group = 64;
    elaborate(&spec, "test").unwrap()
}

/// Small machines that together have everything: any depth of the PE pipeline, padding slots, scale units that serve several
/// columns, one column and a part of one, narrow and wide significands, both orders of the terms, floating-point steps of one
/// cycle and of several, accumulators in registers and in memories.
fn machines() -> [(&'static str, Machine); 14] {
    // rows, columns, lanes, W, pipeline registers, PEs per scale unit
    let machine = |rows, columns, lanes, w, pipeline_registers, pes| {
        let mut spec: DesignSpec = parse(presets()[0].text, "preset").unwrap();
        (spec.tile.rows, spec.tile.columns) = (rows, columns);
        spec.processing_element.lanes = lanes;
        spec.processing_element.significand_bits = Some(w);
        spec.processing_element.pipeline_registers = pipeline_registers;
        spec.scale_unit = Some(ScaleUnitSpec { pes_per_scale_unit: pes });
        spec.weights.types = vec!["bitmod-fp4".into(), "int4".into()];
        elaborate(&spec, "test").unwrap()
    };
    // rows, columns, lanes, guard bits of either kind, pipeline registers
    let float = |rows, columns, lanes, guard_bits, pipeline_registers| {
        let preset = presets().iter().find(|p| p.name == "bitmod-tiny").unwrap();
        let mut spec = parse(preset.text, "preset").unwrap();
        (spec.tile.rows, spec.tile.columns) = (rows, columns);
        spec.processing_element.lanes = lanes;
        spec.processing_element.guard_bits = Some(guard_bits);
        spec.processing_element.accumulator_guard_bits = Some(guard_bits);
        spec.processing_element.pipeline_registers = pipeline_registers;
        spec.weights.types = vec!["bitmod-fp4".into(), "int4".into()];
        elaborate(&spec, "test").unwrap()
    };
    [
        ("wide", machine(4, 4, 4, 14, 2, 8)),
        ("odd", machine(3, 3, 2, 9, 0, 9)),
        ("short", machine(4, 1, 1, 18, 1, 2)),
        ("padded", machine(2, 2, 2, 12, 0, 1)),
        ("types", types_machine()),
        ("planes", planes_machine()),
        ("steps", steps_machine()),
        ("memory", memory_machine()),
        ("halves", whole_machine(Digits::Radix16, 4, 1)),
        ("whole", whole_machine(Digits::Whole, 2, 2)),
        ("fp16", fp16_machine(4, 3, 2)),
        ("shifted", whole_machine(Digits::Shifted, 2, 1)),
        ("float", float(2, 2, 4, 3, 2)),
        ("float, no pipeline", float(3, 2, 4, 0, 0)),
    ]
}

/// What noticed a mutant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Killer {
    /// A combinational loop: no simulator would take it.
    Rule,
    /// The module alone against host arithmetic.
    Module,
    /// The ports of the unit against the simulator.
    Ports,
    /// A whole machine with a reduction longer than its buffers.
    Parts,
}

fn killer(machine: &Machine, systems: &[System], mutant: &Mutant) -> Option<Killer> {
    let mut units = systems[0].case.units.clone();
    if plant(&mut units, mutant).is_err() {
        return Some(Killer::Rule);
    }
    let check = check_of(&mutant.module);
    if check.is_some_and(|check| check(machine, module(&units, &mutant.module)).is_err()) {
        return Some(Killer::Module);
    }
    // What a register holds after reset may matter under some power-up states of the others only.
    let state_seeds = if mutant.change == "other reset value" { 2..18 } else { 0..0 };
    let is_found = systems.iter().any(|s| s.ports_differ(&units, &mutant.module, 1))
        || state_seeds.into_iter().any(|seed| systems[1].ports_differ(&units, &mutant.module, seed));
    is_found.then_some(Killer::Ports)
}

/// A machine of one tile whose products are cut: their commands continue each other's sums, of one pass or of several.
fn parts_case(accumulator_blocks: u32) -> ArrayCase {
    let preset = presets().iter().find(|p| p.name == "mosaic-tiny").unwrap();
    let mut spec = parse(preset.text, "preset").unwrap();
    spec.weights.max_group = 16;
    spec.array = Some(ArraySpec { down: 1, across: 1 });
    spec.buffers = Some(BuffersSpec {
        chunks_per_entry: 1,
        weight_chunks: 8,
        activation_chunks: 8,
        groups: 4,
        blocks: 4,
        accumulator_blocks,
    });
    spec.memory = Some(MemorySpec { data_bits: 32, burst_beats: 8, outstanding_reads: 2, outstanding_writes: 2 });
    let machine = elaborate(&spec, "test").unwrap();
    let mut random = Random::new(5);
    let layers = machine.types.iter().map(|executed| {
        let shape = LayerShape { tokens: 3, output_channels: 3, input_channels: 75, group: 16 };
        layer(&mut random, &machine, &executed.weight_type, shape, Activation::Normal)
    });
    let mut layers: Vec<_> = layers.collect();
    let shape = LayerShape { tokens: 1, output_channels: 9, input_channels: 75, group: 16 };
    layers.insert(0, layer(&mut random, &machine, &machine.types[0].weight_type, shape, Activation::Normal));
    let case = ArrayCase::new(machine.clone(), layers, MemoryTiming::FAST, 1).unwrap();
    let tilings = &case.program.tilings;
    assert!(tilings.iter().all(|tiling| tiling.groups < 5));
    // Where there is room for several passes, also fewer than there is.
    let passes = tilings.iter().map(|t| t.row_blocks * t.column_blocks);
    assert!(
        accumulator_blocks == 1 || passes.clone().any(|p| (2..accumulator_blocks as usize).contains(&p)),
        "{tilings:?}"
    );
    case
}

fn found_in_parts(case: &ArrayCase, sound: &ArrayRun, (module, place, change): &Key) -> bool {
    let is_it = |m: &Mutant| m.module == *module && m.place == *place && m.change == *change;
    let Some(mutant) = mutants(&case.units).into_iter().find(is_it) else { return false };
    let mut case = case.clone();
    // A machine that does not end is found too.
    plant(&mut case.units, &mutant).is_err()
        || !run_array_engine(&case, Engine::Netlist, &ExternalSettings::default()).is_ok_and(|run| run == *sound)
}

/// A place of the hardware description and a change, whichever machine it is found on.
type Key = (String, String, &'static str);

#[test]
fn only_equivalent_mutants_survive() {
    let every: usize = std::env::var("MUTANTS_EVERY").ok().and_then(|v| v.parse().ok()).unwrap_or(1);
    let mut results: BTreeMap<Key, Option<Killer>> = BTreeMap::new();
    for (name, machine) in machines() {
        let systems = systems(&machine);
        let units = &systems[0].case.units;
        for (module, system) in all_modules(units).iter().flat_map(|m| systems.iter().map(move |s| (m, s))) {
            assert!(!system.ports_differ(units, &module.name, 1), "{name}: {} without a fault", module.name);
        }
        for module in all_modules(units) {
            let sound = check_of(&module.name).map_or(Ok(()), |check| check(&machine, module));
            assert_eq!(sound, Ok(()), "{name}: {} without a fault", module.name);
        }
        let mut left: BTreeMap<Key, Mutant> = BTreeMap::new();
        for mutant in mutants(units).into_iter().step_by(every) {
            let key = (mutant.module.clone(), mutant.place.clone(), mutant.change);
            if !matches!(results.get(&key), Some(Some(_))) {
                let other = left.insert(key, mutant);
                assert!(other.is_none(), "two mutants of one name: {other:?}");
            }
        }
        let left: Vec<(Key, Mutant)> = left.into_iter().collect();
        let killers = left.par_iter().with_max_len(1).map(|(_, mutant)| killer(&machine, &systems, mutant));
        let killers: Vec<Option<Killer>> = killers.collect();
        results.extend(left.into_iter().map(|(key, _)| key).zip(killers));
    }
    // What only a command that is part of a longer reduction does shows in a whole machine.
    for accumulator_blocks in [1, 4] {
        let parts = parts_case(accumulator_blocks);
        let sound = run_array_engine(&parts, Engine::Step, &ExternalSettings::default()).unwrap();
        let concerned = ["tile_control", "drain_control", "scale_unit", "tile"];
        for (key, killer) in results.iter_mut().filter(|(key, _)| concerned.contains(&&key.0[..])) {
            if killer.is_none() && found_in_parts(&parts, &sound, key) {
                *killer = Some(Killer::Parts);
            }
        }
    }
    print_counts(&results);
    let survives = |module: &str, place: &str, change: &str| {
        results.iter().any(|(k, killer)| killer.is_none() && (&k.0[..], &k.1[..], k.2) == (module, place, change))
    };
    let is_listed = |(module, place, change): &Key| {
        EQUIVALENTS.iter().any(|e| e.module == module && e.places.contains(&&place[..]) && e.change == *change)
    };
    let survivors = results.iter().filter(|(_, killer)| killer.is_none()).map(|(key, _)| key);
    let missed: Vec<&Key> = survivors.filter(|key| !is_listed(key)).collect();
    assert!(missed.is_empty(), "{} mutants are not found: {missed:#?}", missed.len());
    if every == 1 {
        let listed = EQUIVALENTS.iter().flat_map(|e| e.places.iter().map(move |place| (e.module, *place, e.change)));
        let stale: Vec<_> = listed.filter(|(module, place, change)| !survives(module, place, change)).collect();
        assert!(stale.is_empty(), "listed as equivalent, but found or gone: {stale:#?}");
    }
}

/// The table and the list of docs/evidence/mutants.md.
fn print_counts(results: &BTreeMap<Key, Option<Killer>>) {
    println!(
        "| module | mutants | found by its check | found at the ports | in a whole machine | no simulator takes it | equivalent |"
    );
    println!("| --- | ---: | ---: | ---: | ---: | ---: | ---: |");
    let print = |name: &str, killers: Vec<Option<Killer>>| {
        let count = |killer: Option<Killer>| killers.iter().filter(|k| **k == killer).count();
        let [module, ports, parts, rule] =
            [Killer::Module, Killer::Ports, Killer::Parts, Killer::Rule].map(|k| count(Some(k)));
        println!("| {name} | {} | {module} | {ports} | {parts} | {rule} | {} |", killers.len(), count(None));
    };
    let modules: BTreeSet<&str> = results.keys().map(|key| &key.0[..]).collect();
    for name in modules {
        print(name, results.iter().filter(|(key, _)| key.0 == name).map(|(_, killer)| *killer).collect());
    }
    print("all", results.values().copied().collect());
    for Equivalent { module, places, change, reason } in EQUIVALENTS {
        println!("\n- **{module}**, {change}:");
        let places: Vec<String> = places.iter().map(|place| format!("`{place}`")).collect();
        print_wrapped(reason.split(' '));
        print_wrapped(places.iter().map(String::as_str));
    }
}

/// Words in lines of up to 120 characters, as the text of a list item.
fn print_wrapped<'a>(words: impl Iterator<Item = &'a str>) {
    let mut line = String::new();
    for word in words {
        if !line.is_empty() && line.len() + word.len() > 116 {
            println!(" {line}");
            line.clear();
        }
        line += &format!(" {word}");
    }
    println!(" {line}");
}
