//! Faults in the modules around the tiles: every named one is found and localized to its module; of a sample of all mutants
//! (`MUTANTS_EVERY=1`: all of them) only those survive that change nothing, or nothing that the harness reaches.

#[path = "common/array_cases.rs"]
mod array_cases;

use std::collections::BTreeMap;

use array_cases::{SLOW, failing_cases, hard_case, tiny_case};
use bitmosaic_arch::load;
use bitmosaic_cosim::array::{ArrayCase, localize_array};
use bitmosaic_cosim::faults::{ARRAY_FAULTS, Mutant, array_mutants, mutant_of, plant};
use bitmosaic_rtl::accelerator::NetlistArray;
use bitmosaic_rtl::hardware::Units;
use bitmosaic_rtl::hardware::array::control_registers;
use bitmosaic_sim::memory::{IdealMemory, MemoryTiming};
use bitmosaic_sim::run::{ArrayTrace, run_array};
use rayon::prelude::*;

#[test]
fn every_named_fault_is_found_and_localized() {
    let machine = load("mosaic-small").unwrap();
    let sound = [SLOW, MemoryTiming::FAST].map(|timing| hard_case(&machine, timing));
    for case in &sound {
        assert_eq!(localize_array(case).unwrap(), None);
    }
    let missed: Vec<String> = ARRAY_FAULTS
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
    assert!(missed.is_empty(), "{} of {}:\n{}", missed.len(), ARRAY_FAULTS.len(), missed.join("\n"));
}

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
    let every: usize = std::env::var("MUTANTS_EVERY").ok().and_then(|v| v.parse().ok()).unwrap_or(23);
    let cases = cases();
    let sound: Vec<Shown> = cases.iter().map(|case| shown(case, &case.units, 1, case.cycle_limit()).unwrap()).collect();
    let errors: Vec<u32> = sound.iter().map(|(trace, ..)| trace.error).collect();
    assert_eq!(errors, [0, 0, 1, 2, 3]);
    let again = shown(&cases[0], &cases[0].units, 2, cases[0].cycle_limit()).unwrap();
    assert!(again == sound[0], "the seed of unknown state shows");
    let mutants = array_mutants(&cases[0].units, every);
    let survivors: Vec<&Mutant> = mutants
        .par_iter()
        .with_max_len(1)
        .filter(|mutant| {
            let mut units = cases[0].units.clone();
            if plant(&mut units, mutant).is_err() {
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
    assert!(!mutants.is_empty());
}
