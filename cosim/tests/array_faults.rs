//! Faults in the modules around the tiles: every named one is found and localized to its module; of a sample of all mutants
//! (`MUTANTS_EVERY=1`: all of them) only those survive that change nothing, or nothing that these programs reach.

#[path = "common/array_cases.rs"]
mod array_cases;
mod common;

use std::collections::BTreeMap;

use array_cases::{SLOW, failing_cases, hard_case, tiny_case};
use bitmosaic_arch::load;
use bitmosaic_cosim::array::{ArrayCase, localize_array};
use bitmosaic_cosim::faults::{ARRAY_FAULTS, ENTRY_FAULTS, Fault, Mutant, array_mutants, mutant_of, plant};
use bitmosaic_rtl::accelerator::NetlistArray;
use bitmosaic_rtl::hardware::Units;
use bitmosaic_rtl::hardware::array::control_registers;
use bitmosaic_sim::memory::{IdealMemory, MemoryTiming};
use bitmosaic_sim::run::{ArrayTrace, run_array};
use rayon::prelude::*;

#[test]
fn every_named_fault_is_found_and_localized() {
    found_and_localized("mosaic-small", ARRAY_FAULTS);
    found_and_localized("bitmod-small", ENTRY_FAULTS);
}

fn found_and_localized(design: &str, faults: &[Fault]) {
    let machine = load(design).unwrap();
    let sound = [SLOW, MemoryTiming::FAST].map(|timing| hard_case(&machine, timing));
    for case in &sound {
        assert_eq!(localize_array(case).unwrap(), None);
    }
    let missed: Vec<String> = faults
        .par_iter()
        .filter_map(|fault| {
            let Some(mutant) = mutant_of(&sound[0].units, fault) else {
                return Some(format!("{}: {} has no {} to change", fault.name, fault.module, fault.place));
            };
            let mut units = sound[0].units.clone();
            if let Err(error) = plant(&mut units, &mutant) {
                return Some(format!("{}: {error}", fault.name));
            }
            let found = sound
                .iter()
                .find_map(|case| localize_array(&ArrayCase { units: units.clone(), ..case.clone() }).unwrap());
            match found {
                Some(place) if place.module == fault.module => None,
                other => Some(format!("{}: in {}, localized as {other:?}", fault.name, fault.module)),
            }
        })
        .collect();
    assert!(missed.is_empty(), "{} of {}:\n{}", missed.len(), faults.len(), missed.join("\n"));
}

/// Every this many mutants are tried without `MUTANTS_EVERY`.
const SAMPLE: usize = 23;

/// Survivors of the sample: module, place, change, and why nothing shows; `not reached` where programs of this machine do not
/// get there, the others change nothing.
const SURVIVORS: [(&str, &str, &str, &str); 13] = [
    ("fetch", "outstanding_q.next", "swapped", "it counts below zero instead: only whether it is zero matters"),
    (
        "adapter_32to64",
        "part_0_q.enable",
        "only the first",
        "after the word's last beat it loads what the next word's first replaces",
    ),
    ("load", "tokens_q.next", "swapped", "it counts below zero instead: only whether it is zero matters"),
    ("feeder", "token_q.enable/or.1", "or", "not reached: commands of this machine have one row block"),
    ("grid", "command_1_pop_0/reinterpret.0", "only the first", "not reached: the queue behind always has room"),
    (
        "core",
        "ends/and.0/and.0",
        "only the second",
        "what the queue shows ahead of `end` is an earlier command, no `end`",
    ),
    (
        "core",
        "over/or.1/and.1/and.0/and.0/and.0/not.0",
        "only the second",
        "a burst whose address is offered counts as on its way already",
    ),
    (
        "accelerator",
        "program_high_q.enable",
        "only the second",
        "not reached: the harness leaves no other value beside the address",
    ),
    (
        "accelerator",
        "stall_scale_unit_q.next/mux.2/truncate.0",
        "only the second",
        "not reached: no program of this machine waits for its scale units",
    ),
    (
        "accelerator",
        "stall_scale_unit_q.enable/or.1",
        "only the second",
        "not reached: no program of this machine waits for its scale units",
    ),
    (
        "accelerator",
        "stall_output_q.next/mux.2/truncate.0/add.1",
        "lowest bit",
        "not reached: tiles of an array never wait for their outputs",
    ),
    ("accelerator", "r_data_q.next/select.32/extend.0", "one bit down", "not reached: no counter passes 2^32 cycles"),
    ("accelerator", "r_data_q.next/select.36/extend.0", "one bit down", "not reached: no counter passes 2^32 cycles"),
];

/// What a machine shows: its trace, memory, and all registers of the control port, before and after.
type Shown = (ArrayTrace, Vec<u8>, Vec<u32>);

/// Runs a case on the netlist; a machine that does not end shows what it did within `limit` cycles.
fn shown(case: &ArrayCase, units: &Units, seed: u64, limit: u64) -> Option<Shown> {
    let array = case.machine.array.as_ref()?;
    let mut netlist = NetlistArray::new(units.array.as_ref()?, seed).ok()?;
    let mut registers = Vec::new();
    let mut read = |netlist: &mut NetlistArray| {
        registers.extend(control_registers().iter().map(|r| netlist.read_register(r.address)));
    };
    // Registers that hold what is written, each with bits of its own; the start writes them anew.
    for register in control_registers().iter().filter(|r| r.name.starts_with("program_")) {
        netlist.write_register(register.address, 0x9E37_79B9u32.rotate_left(register.address));
    }
    read(&mut netlist);
    let mut memory = IdealMemory::new(case.timing, array.data_bits, case.program.memory.clone());
    let start = bitmosaic_mappings::Start { address: 0, commands: case.program.program.commands.len() as u32 };
    let trace = match run_array(&mut netlist, &mut memory, start, limit) {
        Ok(trace) => trace,
        Err(watchdog) => *watchdog.trace,
    };
    read(&mut netlist);
    let interrupt = control_registers().into_iter().find(|r| r.name == "interrupt")?;
    netlist.write_register(interrupt.address, 1);
    read(&mut netlist);
    Some((trace, memory.bytes, registers))
}

/// The hard case in two memories, and three programs that end with an error.
fn cases() -> Vec<ArrayCase> {
    let mut cases = vec![tiny_case(SLOW), tiny_case(MemoryTiming::FAST)];
    cases.extend(failing_cases().into_iter().map(|(case, _)| case));
    cases
}

#[test]
fn few_mutants_survive_and_all_are_known() {
    let every: usize = std::env::var("MUTANTS_EVERY").ok().and_then(|v| v.parse().ok()).unwrap_or(SAMPLE);
    let cases = cases();
    let sound: Vec<Shown> = cases.iter().map(|case| shown(case, &case.units, 1, case.cycle_limit()).unwrap()).collect();
    let errors: Vec<u32> = sound.iter().map(|(trace, ..)| trace.error).collect();
    assert_eq!(errors, [0, 0, 1, 2, 3]);
    let again = shown(&cases[0], &cases[0].units, 2, cases[0].cycle_limit()).unwrap();
    assert!(again == sound[0], "the seed of unknown state shows");
    let design = cases[0].units.array.as_ref().unwrap();
    let alone = design.modules_in_order().iter().filter_map(|module| common::queues::check(design, &module.name));
    let passed: Vec<()> = alone.collect::<Result<_, _>>().unwrap();
    assert!(passed.len() >= 10, "{} queues and forks", passed.len());
    let mutants = array_mutants(&cases[0].units, every);
    let survivors: Vec<&Mutant> = mutants
        .par_iter()
        .with_max_len(1)
        .filter(|mutant| {
            let mut units = cases[0].units.clone();
            if plant(&mut units, mutant).is_err() {
                return false;
            }
            let alone = units.array.as_ref().and_then(|design| common::queues::check(design, &mutant.module));
            if alone.is_some_and(|result| result.is_err()) {
                return false;
            }
            // What a register holds after reset may matter under some power-up states of the others only.
            let seeds = if mutant.change == "other reset value" { 1..4 } else { 1..2 };
            seeds.into_iter().all(|seed| {
                cases.iter().zip(&sound).all(|(case, expected)| {
                    shown(case, &units, seed, expected.0.cycles + 50).as_ref() == Some(expected)
                })
            })
        })
        .collect();
    let mut counts: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
    for mutant in &mutants {
        counts.entry(&mutant.module).or_default().0 += 1;
    }
    for mutant in &survivors {
        counts.entry(&mutant.module).or_default().1 += 1;
        println!("survives: {}|{}|{}", mutant.module, mutant.place, mutant.change);
    }
    println!("| module | mutants | survive |\n| --- | ---: | ---: |");
    for (module, (all, left)) in &counts {
        println!("| {module} | {all} | {left} |");
    }
    println!("{} of {} mutants survive", survivors.len(), mutants.len());
    // The whole list is not classified yet: it only must not grow.
    assert!(survivors.len() * 4 < mutants.len(), "too many survive");
    if every == SAMPLE {
        let known = |m: &Mutant| SURVIVORS.iter().any(|s| (s.0, s.1, s.2) == (&m.module[..], &m.place[..], m.change));
        let missed: Vec<_> = survivors.iter().filter(|mutant| !known(mutant)).collect();
        assert!(missed.is_empty(), "not found: {missed:#?}");
    }
}
