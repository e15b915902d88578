//! Random whole machines × programs × memories: step engine = netlist at every beat and retirement, and the outputs those of the
//! host's datapath.

use bitmosaic_cosim::array::{differing_from_host, random_case, run_array_engine};
use bitmosaic_cosim::{Engine, ExternalSettings};
use bitmosaic_mappings::TileWalk;
use rayon::prelude::*;

/// Random machines.
const MACHINES: u64 = 300;

fn head(trace: &bitmosaic_sim::run::ArrayTrace) -> String {
    let first = |v: &Vec<u64>| v.iter().take(6).copied().collect::<Vec<_>>();
    format!(
        "{} cycles {:?} reads {:?} retire {:?}",
        trace.cycles,
        trace.status_cycles,
        trace.reads.iter().take(5).map(|r| r.0).collect::<Vec<_>>(),
        trace.retirements.each_ref().map(first)
    )
}

fn failure(seed: u64) -> Option<String> {
    let settings = ExternalSettings::default();
    let case = match random_case(seed) {
        Ok(case) => case,
        Err(e) => return Some(format!("seed {seed}: {e}")),
    };
    let run = |engine| run_array_engine(&case, engine, &settings);
    if let (Ok(step), Ok(simulator)) = (run(Engine::Step), run(Engine::Simulator))
        && step != simulator
    {
        return Some(format!(
            "seed {seed}: step and simulator differ\n{:?}\n{:?}",
            head(&step.trace),
            head(&simulator.trace)
        ));
    }
    let what = match (run(Engine::Step), run(Engine::Netlist)) {
        (Ok(step), Ok(netlist)) => match differing_from_host(&case, &step) {
            Ok(0) if step.trace.error == 0 && step == netlist => return None,
            Ok(differing) => format!(
                "{differing} outputs differ from the host, error {}, cycles {} and {}",
                step.trace.error, step.trace.cycles, netlist.trace.cycles
            ),
            Err(e) => e.to_string(),
        },
        (Err(e), _) | (_, Err(e)) => e.to_string(),
    };
    Some(format!("seed {seed}: {what}\n{:?}\n{:?} {:?}", case.machine.array, case.machine.tile, case.timing))
}

#[test]
fn random_machines_agree_on_every_engine() {
    let failures: Vec<String> = (0..MACHINES).into_par_iter().filter_map(failure).collect();
    assert!(failures.is_empty(), "{} of {MACHINES} differ, the first:\n{}", failures.len(), failures[0]);
    // Long reductions, in parts of one pass and of several.
    let most_passes = |seed| {
        let case = random_case(seed).unwrap();
        let parts = case.program.program.matmuls().filter(|m| m.part.unfinished);
        parts.map(|m| TileWalk::new(&case.machine, m).pass_count()).max().unwrap_or(0)
    };
    let passes: Vec<usize> = (0..MACHINES).map(most_passes).collect();
    let (one, several) = (passes.iter().filter(|p| **p == 1).count(), passes.iter().filter(|p| **p > 1).count());
    assert!(one >= 20 && several >= 20, "{one} machines with parts of one pass, {several} of several");
}
