//! Tools around whole machines: the localizer on sound machines, replay files, the shrinker, the standard program, what the
//! random sample reaches, errors that a machine reports.

#[path = "common/array_cases.rs"]
mod array_cases;

use std::collections::BTreeSet;

use array_cases::{SLOW, tiny_case, tiny_design};
use bitmosaic_arch::{elaborate, load};
use bitmosaic_cosim::array::{
    ArrayCase, cosimulate_array, localize_array, random_case, random_plan, run_array_engine, standard_array_cases,
};
use bitmosaic_cosim::faults::{Fault, Mutant, mutant_of, plant};
use bitmosaic_cosim::shrink::{ArrayPlan, shrink};
use bitmosaic_cosim::{Engine, ExternalSettings, Replay};
use bitmosaic_mappings::ports;
use bitmosaic_sim::memory::MemoryTiming;
use rayon::prelude::*;

/// The row counter of the store unit counts nothing: found only where a product has rows that are more than one.
const FAULT: Fault = Fault {
    name: "row-counter-stands-still",
    module: "store",
    place: "row_q.next/mux.2/truncate.0",
    change: "only the first",
};

fn planted(case: &ArrayCase) -> Option<ArrayCase> {
    let mutant: Mutant = mutant_of(&case.units, &FAULT)?;
    let mut case = case.clone();
    plant(&mut case.units, &mutant).ok()?;
    Some(case)
}

#[test]
fn sound_machines_have_no_difference_to_localize() {
    let found: Vec<String> = (0..8u64)
        .into_par_iter()
        .filter_map(|seed| {
            let place = localize_array(&random_case(seed).unwrap()).unwrap()?;
            Some(format!("seed {seed}: {place:?}"))
        })
        .collect();
    assert!(found.is_empty(), "{found:#?}");
    let float = elaborate(&tiny_design("bitmod-small"), "test").unwrap();
    assert_eq!(localize_array(&array_cases::hard_case(&float, SLOW)).unwrap(), None);
}

#[test]
fn a_difference_is_localized_and_shown_again_from_its_file() {
    let case = planted(&tiny_case(SLOW)).unwrap();
    let settings = ExternalSettings::default();
    let result = cosimulate_array(&case, &[Engine::Netlist], &settings).unwrap();
    assert!(result.mismatched_bits > 0 && !result.mismatches.is_empty());
    assert!(result.localization[0].starts_with("first event that differs: cycle"), "{:?}", result.localization);
    assert!(result.localization[1].contains("module store, net u_core.u_store.row_q"), "{:?}", result.localization);

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("replay.json");
    let design = tiny_design("mosaic-small");
    Replay::of_array(&case, &design, &[Engine::Netlist], Some(FAULT.name)).write(&path).unwrap();
    let replay = Replay::read(&path).unwrap();
    assert_eq!(replay.fault.as_deref(), Some(FAULT.name));
    let again = replay.array_case().unwrap().unwrap();
    assert!(again.program == case.program && again.timing == case.timing);
    let sound = cosimulate_array(&again, &[Engine::Netlist], &settings).unwrap();
    assert_eq!((sound.mismatched_bits, sound.mismatched_cycles), (0, 0));
    assert_eq!(cosimulate_array(&planted(&again).unwrap(), &[Engine::Netlist], &settings).unwrap(), result);
    // A memory that would never answer is refused.
    let text = std::fs::read_to_string(&path).unwrap().replace("\"bytes_per_cycle\": 5", "\"bytes_per_cycle\": 0");
    std::fs::write(&path, text).unwrap();
    let error = Replay::read(&path).unwrap().array_case().unwrap_err().to_string();
    assert!(error.contains("bytes per cycle of the memory: 0"), "{error}");
}

/// Whether step engine and netlist differ once the fault is planted.
fn fails(case: ArrayCase) -> bool {
    planted(&case).is_some_and(|case| localize_array(&case).is_ok_and(|found| found.is_some()))
}

#[test]
fn a_failing_case_is_made_small() {
    let size = |plan: &ArrayPlan| {
        let layers = plan.layers.iter().map(|l| l.weights.codes.len() * l.activations.tokens).sum::<usize>();
        let array = plan.design.array.as_ref().map_or(1, |array| array.down * array.across);
        (plan.layers.len(), layers, array)
    };
    let seed = (0..50).find(|seed| {
        let plan = random_plan(*seed).unwrap();
        plan.layers.len() > 1 && size(&plan).2 > 1 && fails(plan.case().unwrap())
    });
    let plan = random_plan(seed.unwrap()).unwrap();
    let before = size(&plan);
    let small = shrink(plan, &mut fails);
    let after = size(&small);
    println!("{before:?} -> {after:?}, memory {}", small.timing);
    assert!(fails(small.case().unwrap()));
    let layer = &small.layers[0];
    // Two rows are the least that a row counter needs; of everything else one.
    assert_eq!((after.0, after.2), (1, after.2.min(2)), "{after:?}");
    assert!(layer.activations.tokens <= 2 && layer.weights.output_channels == 1 && layer.weights.input_channels == 1);
    assert_eq!((small.timing.latency, small.timing.threshold), (1, 0));
}

#[test]
fn the_standard_program_reaches_every_wait() {
    let settings = ExternalSettings::default();
    for name in ["mosaic-small", "bitmod-small"] {
        let machine = load(name).unwrap();
        let (mut reached, mut pairs) = ([0; ports::ARRAY_STATUS.len()], BTreeSet::new());
        for (memory, case) in standard_array_cases(&machine, 1).unwrap() {
            let run = run_array_engine(&case, Engine::Step, &settings).unwrap();
            println!("{name}, {memory}: {} cycles {:?}", run.trace.cycles, run.trace.status_cycles);
            reached.iter_mut().zip(run.trace.status_cycles).for_each(|(all, own)| *all += own);
            pairs.extend(case.layers.iter().map(|l| (l.weights.weight_type.name, l.weights.group)));
        }
        assert_eq!(pairs.len(), machine.types.len() * 4, "every type with every group");
        for (status, cycles) in ports::ARRAY_STATUS.into_iter().zip(reached) {
            // The output buffer always takes a beat: its half was waited for.
            assert_eq!(cycles > 0, status != "stall_output", "{name}: {status} in {cycles} cycles");
        }
    }
}

#[test]
fn the_random_sample_reaches_everything() {
    let settings = ExternalSettings::default();
    let runs: Vec<_> = (0..240u64)
        .into_par_iter()
        .map(|seed| {
            let case = random_case(seed).unwrap();
            let run = run_array_engine(&case, Engine::Simulator, &settings).unwrap();
            assert_eq!(run.trace.error, 0);
            let array = case.machine.array.as_ref().unwrap();
            let shape = (array.tiles(), array.data_bits, case.machine.aligner.is_some());
            let parts = case.program.program.matmuls().any(|m| m.part.continues);
            (shape, run.trace.status_cycles, case.program.program.matmuls().count(), parts)
        })
        .collect();
    for (i, status) in ports::ARRAY_STATUS.into_iter().enumerate() {
        let machines = runs.iter().filter(|(_, cycles, ..)| cycles[i] > 0).count();
        println!("{status}: {machines} machines");
        assert_eq!(machines > 0, status != "stall_output", "{status}");
    }
    let shapes = || runs.iter().map(|(shape, ..)| *shape);
    for bits in [16, 32, 64, 128, 256] {
        assert!(shapes().any(|(_, data_bits, _)| data_bits == bits), "no port of {bits} bits");
    }
    for tiles in [1, 2, 4, 8, 16] {
        assert!(shapes().any(|(own, ..)| own == tiles), "no array of {tiles} tiles");
    }
    assert!(shapes().any(|(.., block)| block) && shapes().any(|(.., block)| !block));
    assert!(runs.iter().any(|(_, _, products, _)| *products > 20), "no product in many commands");
    assert!(runs.iter().filter(|(.., parts)| *parts).count() >= 20, "few reductions in parts");
}

#[test]
fn errors_are_reported() {
    let settings = ExternalSettings::default();
    for (case, error) in array_cases::failing_cases() {
        let step = run_array_engine(&case, Engine::Step, &settings).unwrap();
        assert_eq!(step.trace.error, error);
        assert!(step == run_array_engine(&case, Engine::Netlist, &settings).unwrap(), "error {error}");
    }
    // Also while much is on its way, and none is answered after it.
    let mut case = random_case(3).unwrap();
    case.timing = MemoryTiming { latency: 60, ..MemoryTiming::FAST };
    case.program.memory.truncate(case.program.memory.len() / 3);
    let step = run_array_engine(&case, Engine::Step, &settings).unwrap();
    assert!(step.trace.error == 1 && step == run_array_engine(&case, Engine::Netlist, &settings).unwrap());
}
