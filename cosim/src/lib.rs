//! One program on every engine: the simulator, the netlist simulator and the exported Verilog in Icarus and Verilator must
//! agree in every output bit and in the cycle of every beat and retirement. A difference is localized and replayable.

pub mod array;
mod case;
mod compare;
mod engine;
mod error;
mod external;
pub mod faults;
mod localize;
pub mod random;
pub mod random_array;
mod replay;
pub mod shrink;
mod standard;
mod vcd;
pub mod vectors;

pub use case::{Case, Outputs};
pub use compare::{compare, compare_with_host, host_outputs};
pub use engine::{Engine, EngineRun, ExternalSettings, run_engine};
pub use error::CosimError;
pub use external::{Tool, require};
pub use localize::{Localization, localize};
pub use replay::Replay;
pub use standard::{STALL_SETTINGS, standard_case};
pub use vcd::{write_array_vcd, write_vcd};

use bitmosaic_results::CosimResult;

/// Runs a case on every engine of `engines` and compares with the simulator, which always runs.
///
/// # Errors
/// A missing tool, an engine that did not finish, or a broken netlist. Differences are no error: the result tells.
pub fn cosimulate(case: &Case, engines: &[Engine], settings: &ExternalSettings) -> Result<CosimResult, CosimError> {
    let reference = run_engine(case, Engine::Simulator, settings)?;
    let mut result = CosimResult { outputs: case.real_outputs() as u64, ..CosimResult::default() };
    Engine::Simulator.record(reference.tile.cycles(), Some(reference.aligner.cycles()), &mut result);
    for engine in engines.iter().filter(|e| **e != Engine::Simulator) {
        let run = run_engine(case, *engine, settings)?;
        engine.record(run.tile.cycles(), Some(run.aligner.cycles()), &mut result);
        compare(case, *engine, &reference, &run, &mut result);
    }
    if result.mismatched_bits + result.mismatched_cycles > 0 {
        result.localization = localize(case, settings)?.map_or_else(localize::verilog_only, |found| found.lines());
    }
    Ok(result)
}
