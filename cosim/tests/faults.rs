//! Every named fault is found and the localizer names its module; mutants of all operations are found.

use bitmosaic_arch::{elaborate, load, parse, presets};
use bitmosaic_cosim::faults::{FAULTS, Mutant, mutant_of, mutants, plant};
use bitmosaic_cosim::random::{self, Activation, LayerShape, Random};
use bitmosaic_cosim::{Case, CosimError, Engine, ExternalSettings, cosimulate, localize};
use bitmosaic_mappings::Stalls;
use rayon::prelude::*;

/// A case that a fault should not survive: all kinds of activations, both types, short and ragged groups, stalls.
fn hard_case(machine: bitmosaic_arch::Machine) -> Case {
    let mut layers = Vec::new();
    for (i, kind) in Activation::ALL.into_iter().chain(Activation::ALL).enumerate() {
        let mut random = Random::new(i as u64);
        let group = [4, 1, 2, 16][i % 4] * machine.pe.lanes as usize;
        let shape = LayerShape {
            tokens: machine.tile.rows as usize + 1 + i % 2,
            output_channels: machine.tile.columns as usize * (1 + i % 2) + i % 3,
            input_channels: 2 * group + 3 + i,
            group,
        };
        layers.push(random::layer(&mut random, &machine.types[i % machine.types.len()].weight_type, shape, kind));
    }
    let stalls = Stalls { seed: 3, input_threshold: 60, output_threshold: 110 };
    Case::new(machine, layers, stalls, 1).unwrap()
}

/// Whether comparison or watchdog notice the mutant.
fn is_found(sound: &Case, mutant: &Mutant) -> bool {
    let mut case = sound.clone();
    if plant(&mut case.units, mutant).is_err() {
        return true; // a combinational loop: no simulator would take it
    }
    match cosimulate(&case, &[Engine::Netlist], &ExternalSettings::default()) {
        Ok(result) if result.mismatched_bits + result.mismatched_cycles > 0 => true,
        // FP16 outputs hide most errors in the last bit of an FP32 register; the lockstep comparison sees the register.
        Ok(_) => localize(&case, &ExternalSettings::default()).unwrap().is_some(),
        Err(CosimError::Watchdog { .. } | CosimError::Mapping(_)) => true,
        Err(error) => panic!("{mutant:?}: {error}"),
    }
}

#[test]
fn every_named_fault_is_found_and_localized() {
    let sound = hard_case(load("mosaic-tile").unwrap());
    let result = cosimulate(&sound, &[Engine::Netlist], &ExternalSettings::default()).unwrap();
    assert_eq!(result.mismatched_bits + result.mismatched_cycles, 0);
    let missed: Vec<String> = FAULTS
        .par_iter()
        .filter_map(|fault| {
            let Some(mutant) = mutant_of(&sound.units, fault) else {
                return Some(format!("{}: {} has no net {}", fault.name, fault.module, fault.net));
            };
            if !is_found(&sound, &mutant) {
                return Some(format!("{}: not found", fault.name));
            }
            let mut case = sound.clone();
            plant(&mut case.units, &mutant).unwrap();
            match localize(&case, &ExternalSettings::default()).unwrap() {
                Some(place) if place.module == fault.module => None,
                other => Some(format!("{}: in {}, localized as {other:?}", fault.name, fault.module)),
            }
        })
        .collect();
    assert!(missed.is_empty(), "{} of {}:\n{}", missed.len(), FAULTS.len(), missed.join("\n"));
}

/// Mutants of a small machine that has everything: PE pipeline, several scale units.
#[test]
fn mutants_of_every_operation_are_found() {
    let mut spec = parse(presets()[0].text, "preset").unwrap();
    spec.tile.rows = 4;
    spec.tile.columns = 4;
    spec.processing_element.lanes = 4;
    spec.processing_element.pipeline_registers = 2;
    spec.scale_unit = Some(bitmosaic_arch::ScaleUnitSpec { pes_per_scale_unit: 8 });
    let sound = hard_case(elaborate(&spec, "test").unwrap());
    let result = cosimulate(&sound, &[Engine::Netlist], &ExternalSettings::default()).unwrap();
    assert_eq!(result.mismatched_bits + result.mismatched_cycles, 0);
    let every = std::env::var("MUTANTS_EVERY").ok().and_then(|v| v.parse().ok()).unwrap_or(1);
    let all: Vec<Mutant> = mutants(&sound.units).into_iter().step_by(every).collect();
    let survivors: Vec<String> = all
        .par_iter()
        .filter(|m| !is_found(&sound, m))
        .map(|m| format!("{}.{} -> {:?}", m.module, m.net, m.op))
        .collect();
    println!("{} mutants, {} survive", all.len(), survivors.len());
    assert!(survivors.is_empty(), "{} of {} survive:\n{}", survivors.len(), all.len(), survivors.join("\n"));
}
