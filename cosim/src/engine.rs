use bitmosaic_mappings::{Unit, UnitStimulus, UnitTrace, aligner_stimulus, run_unit, tile_stimulus};
use bitmosaic_results::CosimResult;
use bitmosaic_rtl::netlist::Design;
use bitmosaic_rtl::unit::NetlistUnit;
use bitmosaic_sim::{cycle, step};

use crate::external::{self, Tool};
use crate::{Case, CosimError};

pub use crate::external::ExternalSettings;

/// Something that executes a program.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Engine {
    /// The event-driven simulator.
    Simulator,
    /// The plain cycle-by-cycle simulator, its oracle.
    Step,
    /// The netlist simulator.
    Netlist,
    /// The exported Verilog in Verilator.
    Verilator,
    /// The exported Verilog in Icarus Verilog.
    Icarus,
}

/// What both units of a machine did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EngineRun {
    /// Aligner; nothing for a machine without one.
    pub aligner: UnitTrace,
    /// Tile.
    pub tile: UnitTrace,
}

impl Engine {
    /// Engines by name, as the command line takes them.
    pub const ALL: [Engine; 5] = [Engine::Simulator, Engine::Step, Engine::Netlist, Engine::Verilator, Engine::Icarus];

    /// Name.
    pub fn name(self) -> &'static str {
        match self {
            Engine::Simulator => "simulator",
            Engine::Step => "step",
            Engine::Netlist => "netlist",
            Engine::Verilator => "verilator",
            Engine::Icarus => "icarus",
        }
    }

    /// One line for listings.
    pub fn summary(self) -> &'static str {
        match self {
            Engine::Simulator => "event-driven simulator, the default",
            Engine::Step => "plain cycle-by-cycle simulator, the oracle of the event-driven one",
            Engine::Netlist => "netlist simulator: the hardware before it is written as Verilog",
            Engine::Verilator => "the exported Verilog in Verilator (Debian package verilator)",
            Engine::Icarus => "the exported Verilog in Icarus Verilog (Debian package iverilog)",
        }
    }

    /// The engine of this name.
    pub fn from_name(name: &str) -> Option<Engine> {
        Engine::ALL.into_iter().find(|e| e.name() == name)
    }

    /// Writes the cycles of a run into the result, and those of an aligner that runs apart.
    pub(crate) fn record(self, cycles: u64, aligner_cycles: Option<u64>, result: &mut CosimResult) {
        let place = |of: &mut bitmosaic_results::EngineCycles, value: Option<u64>| match self {
            Engine::Simulator => of.simulator = value,
            Engine::Netlist => of.netlist = value,
            Engine::Verilator => of.verilator = value,
            Engine::Icarus => of.icarus = value,
            Engine::Step => {}
        };
        place(&mut result.cycles, Some(cycles));
        place(&mut result.aligner_cycles, aligner_cycles);
    }
}

/// Runs the whole program: the aligner if there is one, and the tile on what the same engine's aligner gave.
///
/// # Errors
/// A missing or failing tool, a hang, an X or Z.
pub fn run_engine(case: &Case, engine: Engine, settings: &ExternalSettings) -> Result<EngineRun, CosimError> {
    let machine = &case.machine;
    let aligner = match (aligner_stimulus(machine, &case.lowered, case.stalls), &case.units.aligner) {
        (Some(stimulus), Some(design)) => match engine {
            Engine::Simulator | Engine::Step => {
                step_unit(case, engine, "aligner", &mut step::AlignerStep::new(machine), &stimulus)?
            }
            Engine::Netlist => netlist_aligner(case)?,
            Engine::Verilator => external::run(case, Tool::Verilator, "aligner", design, &stimulus, settings)?,
            Engine::Icarus => external::run(case, Tool::Icarus, "aligner", design, &stimulus, settings)?,
        },
        _ => UnitTrace::default(),
    };
    let stimulus = tile_stimulus(machine, &case.lowered, &aligner.outputs, case.stalls)?;
    let tile = match engine {
        Engine::Simulator => cycle::run_tile(machine, &stimulus),
        Engine::Step => step_unit(case, engine, "tile", &mut step::TileStep::new(machine), &stimulus)?,
        Engine::Netlist => netlist_unit(case, "tile", &case.units.tile, &stimulus)?,
        Engine::Verilator => external::run(case, Tool::Verilator, "tile", &case.units.tile, &stimulus, settings)?,
        Engine::Icarus => external::run(case, Tool::Icarus, "tile", &case.units.tile, &stimulus, settings)?,
    };
    Ok(EngineRun { aligner, tile })
}

/// The aligner's trace in the netlist simulator; nothing for a machine without one.
pub(crate) fn netlist_aligner(case: &Case) -> Result<UnitTrace, CosimError> {
    match (aligner_stimulus(&case.machine, &case.lowered, case.stalls), &case.units.aligner) {
        (Some(stimulus), Some(design)) => netlist_unit(case, "aligner", design, &stimulus),
        _ => Ok(UnitTrace::default()),
    }
}

fn netlist_unit(
    case: &Case,
    name: &'static str,
    design: &Design,
    stimulus: &UnitStimulus,
) -> Result<UnitTrace, CosimError> {
    let mut unit = NetlistUnit::new(design, stimulus, case.state_seed)?;
    step_unit(case, Engine::Netlist, name, &mut unit, stimulus)
}

pub(crate) fn step_unit(
    case: &Case,
    engine: Engine,
    name: &'static str,
    unit: &mut dyn Unit,
    stimulus: &UnitStimulus,
) -> Result<UnitTrace, CosimError> {
    run_unit(unit, stimulus, case.cycle_limit()).map_err(|watchdog| CosimError::Watchdog {
        engine: engine.name(),
        unit: name,
        watchdog,
    })
}
