//! Timing engine = step engine where programs are long: there it repeats at once what recurs.

use bitmosaic_arch::{Machine, elaborate, load};
use bitmosaic_cosim::array::{ArrayCase, run_array_engine};
use bitmosaic_cosim::random::{Activation, LayerShape, Random, layer};
use bitmosaic_cosim::random_array::array_design;
use bitmosaic_cosim::{Engine, ExternalSettings};
use bitmosaic_mappings::Start;
use bitmosaic_sim::cycle::array::run_cycles;
use bitmosaic_sim::memory::MemoryTiming;
use rayon::prelude::*;

/// Random machines.
const MACHINES: u64 = 120;

fn case(machine: Machine, shape: LayerShape, timing: MemoryTiming, random: &mut Random) -> ArrayCase {
    let weight_type = machine.types[random.below(machine.types.len())].weight_type.clone();
    let layers = vec![layer(random, &machine, &weight_type, shape, Activation::Normal)];
    ArrayCase::new(machine, layers, timing, 1).unwrap()
}

/// A product of many blocks on a random machine, in a memory without random gates: those never recur.
fn random_case(seed: u64) -> ArrayCase {
    let mut random = Random::new(1_000_000 + seed);
    let machine = elaborate(&array_design(&mut random), "random").unwrap();
    let array = machine.array.as_ref().unwrap();
    let entry = machine.entry_channels as usize;
    let group = entry * (1 + random.below(machine.max_group as usize / entry));
    let held = (array.weight_entries.min(array.activation_entries) as usize * entry).min(array.groups as usize * group);
    let whole = (2 * group).is_multiple_of(array.beat_bytes() as usize);
    let most = if whole { 8 * held } else { held }.min(700);
    let shape = LayerShape {
        tokens: 1 + random.below(12 * array.rows as usize),
        output_channels: 1 + random.below(12 * array.columns as usize),
        input_channels: most.div_ceil(1 + random.below(4)),
        group,
    };
    let timing = MemoryTiming {
        latency: random.pick(&[1, 2, 7, 30, 100]),
        bytes_per_cycle: random.pick(&[1, 3, 8, 20, 64]),
        outstanding: random.pick(&[1, 2, 5, 16, 64]),
        seed: 1,
        threshold: 0,
    };
    case(machine, shape, timing, &mut random)
}

fn difference(case: &ArrayCase) -> Option<String> {
    let run = |engine| run_array_engine(case, engine, &ExternalSettings::default()).unwrap();
    let (step, own) = (run(Engine::Step), run(Engine::Simulator));
    // Without events, and in closed form.
    let (machine, program) = (&case.machine, &case.program.program);
    let start = Start { address: 0, commands: program.commands.len() as u32 };
    let counts = run_cycles(machine, program, start, case.timing, case.cycle_limit());
    assert_eq!(counts, Some((Some(step.trace.cycles), step.trace.status_cycles)));
    let beat_bytes = machine.array.as_ref().unwrap().beat_bytes();
    assert_eq!(program.events(machine).read_beats * u64::from(beat_bytes), step.trace.bytes_read(beat_bytes));
    assert_eq!(program.bytes_written(), step.trace.bytes_written());
    (step != own).then(|| {
        let (step, own) = (&step.trace, &own.trace);
        let first = |step: &[u64], own: &[u64]| step.iter().zip(own).position(|(step, own)| step != own);
        let retirements: Vec<_> = (0..3).map(|i| first(&step.retirements[i], &own.retirements[i])).collect();
        format!(
            "cycles {} and {}, status {:?} and {:?}, first retirements that differ {retirements:?} of {:?}, reads equal {}, writes {}, beats {}",
            step.cycles,
            own.cycles,
            step.status_cycles,
            own.status_cycles,
            step.retirements.each_ref().map(Vec::len),
            step.reads == own.reads,
            step.writes == own.writes,
            step.beats == own.beats,
        )
    })
}

#[test]
fn long_programs_on_random_machines_take_the_cycles_of_the_step_engine() {
    let failures: Vec<String> = (0..MACHINES)
        .into_par_iter()
        .filter_map(|seed| difference(&random_case(seed)).map(|what| format!("seed {seed}: {what}")))
        .collect();
    assert!(failures.is_empty(), "{} of {MACHINES} differ, the first:\n{}", failures.len(), failures[0]);
}

#[test]
fn loops_of_products_take_the_cycles_of_the_step_engine() {
    let memories = [(20, 1 << 10, 64), (50, 8, 8), (20, 3, 8), (150, 64, 2)];
    let failures: Vec<String> = memories
        .into_par_iter()
        .filter_map(|(latency, bytes_per_cycle, outstanding)| {
            let timing = MemoryTiming { latency, bytes_per_cycle, outstanding, seed: 1, threshold: 0 };
            let shape = LayerShape { tokens: 32, output_channels: 384, input_channels: 384, group: 128 };
            let case = case(load("mosaic-small").unwrap(), shape, timing, &mut Random::new(1));
            difference(&case).map(|what| format!("{timing}: {what}"))
        })
        .collect();
    assert!(failures.is_empty(), "{failures:?}");
}
