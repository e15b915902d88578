//! Random machines × random programs: event-driven simulator = step simulator = netlist, bit for bit and cycle for cycle,
//! and the outputs those of the host's datapath.

use bitmosaic_arch::PeWidths;
use bitmosaic_cosim::random::{self, Random};
use bitmosaic_cosim::{Case, Engine, ExternalSettings, compare_with_host, cosimulate, run_engine};
use bitmosaic_numerics::{DigitSet, ScaleKind};
use rayon::prelude::*;

/// Random tiles, of every kind.
const TILES: u64 = 540;

fn case(seed: u64) -> Case {
    let mut random = Random::new(seed);
    let machine = random::machine(&mut random, 16).unwrap();
    let layers = random::program(&mut random, &machine);
    let stalls = random::stalls(&mut random);
    Case::new(machine, layers, stalls, seed).unwrap()
}

#[test]
fn random_tiles_agree_on_every_engine() {
    let engines = [Engine::Simulator, Engine::Step, Engine::Netlist];
    let failures: Vec<String> = (0..TILES)
        .into_par_iter()
        .filter_map(|seed| {
            let case = case(seed);
            let settings = ExternalSettings::default();
            let with_host = cosimulate(&case, &engines, &settings).and_then(|mut result| {
                let run = run_engine(&case, Engine::Simulator, &settings)?;
                compare_with_host(&case, &run, &mut result)?;
                Ok(result)
            });
            match with_host {
                Ok(r) if r.mismatched_bits + r.mismatched_cycles == 0 && r.cycles.simulator == r.cycles.netlist => None,
                Ok(r) => Some(format!("seed {seed}: {:?} {:?}\n{r:?}", case.machine.tile, case.machine.pe)),
                Err(e) => Some(format!("seed {seed}: {e}")),
            }
        })
        .collect();
    assert!(failures.is_empty(), "{} of {TILES} differ, the first:\n{}", failures.len(), failures[0]);
}

#[test]
fn the_random_cases_reach_what_they_should() {
    // The sample is worth its name only if it has every stall cause, every pipeline depth, padding slots and NaN.
    let mut status = [0u64; 4];
    let (mut depths, mut padding, mut nan, mut shared, mut float, mut whole) = ([0; 3], 0, 0, 0, [0; 2], [0; 3]);
    let (mut zero_points, mut kinds, mut pairs) = (0, [0; ScaleKind::ALL.len()], [0; 2]);
    for seed in 0..TILES {
        let case = case(seed);
        let run = bitmosaic_cosim::run_engine(&case, Engine::Simulator, &ExternalSettings::default()).unwrap();
        for (sum, count) in status.iter_mut().zip(&run.tile.status_cycles) {
            *sum += u64::from(*count > 0);
        }
        depths[case.machine.pe.pipeline_registers as usize] += 1;
        padding += u32::from(case.machine.scale_unit.ring_entries() > case.machine.scale_unit.pes);
        if case.machine.pe.kind.float().is_some() {
            float[usize::from(case.machine.pe.digit_set == DigitSet::Fp16)] += 1;
        }
        if let PeWidths::Int(_) = case.machine.pe.kind {
            let sets = [DigitSet::Radix16, DigitSet::Whole, DigitSet::Shifted];
            whole[sets.iter().position(|set| *set == case.machine.pe.digit_set).unwrap()] += 1;
        }
        shared += u32::from(case.machine.scale_unit.units > 1);
        zero_points += u32::from(case.layers.iter().any(|l| !l.weights.zero_points.is_empty()));
        case.layers.iter().for_each(|l| kinds[l.weights.scale_kind.index()] += 1);
        // Outlier-victim pairs, with an even last group and with a weight alone at its end.
        let with_pairs = case.layers.iter().filter(|l| l.weights.weight_type.victim_code().is_some());
        with_pairs.for_each(|l| pairs[l.weights.input_channels % l.weights.group % 2] += 1);
        nan += u32::from(case.outputs(&run.tile.outputs).unwrap().iter().flatten().any(|v| v.is_nan()));
    }
    assert!(
        status.iter().all(|cases| *cases >= 20),
        "cases with compute, operand, scale unit, output cycles: {status:?}"
    );
    assert!(depths.iter().all(|cases| *cases >= 80), "{depths:?}");
    assert!(zero_points >= 60 && kinds.iter().all(|layers| *layers >= 40), "{zero_points} {kinds:?}");
    assert!(pairs.iter().all(|layers| *layers >= 8), "{pairs:?}");
    assert!(whole.iter().all(|cases| *cases >= 24), "{whole:?}");
    assert!(float.iter().all(|cases| *cases >= 60), "{float:?}");
    assert!(padding >= 5 && nan >= 20 && shared >= 40, "{padding} {nan} {shared}");
}
