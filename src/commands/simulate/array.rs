//! `simulate` on a whole machine.

use bitmosaic_arch::Machine;
use bitmosaic_cosim::array::{ArrayCase, run_array_engine};
use bitmosaic_cosim::{Engine, ExternalSettings, write_array_vcd};
use bitmosaic_mappings::{Mapping, MappingSpace, Matmul, Program, TileWalk, Tiling, schedule_array};
use bitmosaic_results::{LayerResult, MemoryWaits, SimulateResult, Stalls};
use bitmosaic_sim::energy::program_energy;
use bitmosaic_sim::inference::ProgramTiming;
use bitmosaic_sim::run::ArrayTrace;

use super::{
    Arguments, STEP_CYCLE_CAP, SimulateEngine, check_vcd, describe_memory, energy, engine_name, generated_layer,
    memory_timing, product,
};
use crate::error::CliError;

/// Longest run of the netlist of a whole machine, by its least number of cycles.
const NETLIST_CYCLE_CAP: u64 = 2_000_000;

/// What a whole machine adds to a document's provenance.
pub(super) struct ArrayResult {
    pub(super) result: SimulateResult,
    pub(super) mapping: String,
    pub(super) memory: String,
}

/// Runs a generated layer of the product's shape.
pub(super) fn simulate(
    machine: &Machine,
    matmul: &Matmul,
    op: &str,
    arguments: &Arguments,
) -> Result<ArrayResult, CliError> {
    if arguments.input_stalls > 0 || arguments.output_stalls > 0 {
        let expected = "a whole machine has a memory in their place: --memory-latency, --memory-bytes-per-cycle";
        return Err(CliError::option("--input-stalls, --output-stalls", &machine.name, expected));
    }
    let timing = memory_timing(machine, arguments)?;
    let layer = generated_layer(matmul, arguments.weight_type(machine), arguments.seed)?;
    let case =
        ArrayCase::mapped(machine.clone(), vec![layer], timing, arguments.seed, &Mapping::load(&arguments.mapping)?)?;
    let (engine, cap) = match arguments.engine {
        SimulateEngine::Cycle => (Engine::Simulator, u64::MAX),
        SimulateEngine::Step => (Engine::Step, STEP_CYCLE_CAP),
        SimulateEngine::Netlist => (Engine::Netlist, NETLIST_CYCLE_CAP),
    };
    let least = case.program.program.least_cycles(machine, timing.bytes_per_cycle);
    if least > cap {
        return Err(CliError::option(
            "--engine",
            format!("{} would run at least {least} cycles one by one", engine_name(arguments.engine)),
            format!("at most {cap}; take a smaller product or `--engine cycle`"),
        ));
    }
    let settings = ExternalSettings::default();
    let run = match &arguments.vcd {
        None => run_array_engine(&case, engine, &settings)?,
        Some(path) => {
            let estimate = run_array_engine(&case, Engine::Simulator, &settings)?.trace.cycles;
            check_vcd(machine, arguments, estimate)?;
            write_array_vcd(&case, path, arguments.vcd_cycles.clone().unwrap_or(0..estimate))?
        }
    };
    if run.trace.error != 0 {
        return Err(CliError::Internal(format!("the machine ended with error {}", run.trace.error)));
    }
    let mut result = result(machine, matmul, op, &run.trace);
    let costs = energy::costs(machine, arguments)?;
    let program = ProgramTiming {
        cycles: result.cycles,
        bytes_read: result.layers[0].bytes_read,
        bytes_written: result.layers[0].bytes_written,
        events: case.program.program.events(machine),
        ..ProgramTiming::default()
    };
    let energy = program_energy(&program, &costs);
    result.layers[0].energy_pj = Some(energy);
    (result.energy_pj, result.technology) = (Some(energy), Some(costs.technology));
    let space = MappingSpace::new(machine, matmul)?;
    let mapping = case.program.tilings.first().map_or_else(String::new, |tiling| describe(&space, *tiling));
    Ok(ArrayResult { result, mapping, memory: describe_memory(timing, arguments) })
}

/// The program of a product, whatever its data.
pub(crate) fn array_program(
    machine: &Machine,
    (shape, name, group): (&str, &str, usize),
    mapping: &str,
) -> Result<Program, CliError> {
    Ok(schedule_array(machine, &[product(machine, shape, name, group)?], &Mapping::load(mapping)?)?.program)
}

/// How a product was cut.
fn describe(space: &MappingSpace, tiling: Tiling) -> String {
    let stays = if tiling.weights_outer { "weights" } else { "activations" };
    format!(
        "{}, {} x {} blocks (tokens x output channels) and {} groups a command, {stays} change last",
        space.dataflow(tiling).name(),
        tiling.row_blocks,
        tiling.column_blocks,
        tiling.groups
    )
}

fn result(machine: &Machine, matmul: &Matmul, op: &str, trace: &ArrayTrace) -> SimulateResult {
    let beat_bytes = machine.array.as_ref().map_or(0, |array| array.beat_bytes());
    let tiles = machine.array.as_ref().map_or(1, |array| u64::from(array.tiles()));
    // In the order of `ports::ARRAY_STATUS`: the first four are those of the first tile, which all others follow.
    let [compute, operand, scale_unit, output, operands, outputs, room] = trace.status_cycles;
    let memory_cycles = operands + outputs;
    let fill_drain = trace.cycles - compute - operand - scale_unit - output - memory_cycles;
    let layer = LayerResult {
        name: "matmul".to_string(),
        op: op.to_string(),
        cycles: trace.cycles,
        compute_cycles: compute,
        memory_cycles,
        memory_waits: Some(MemoryWaits { operands, outputs, room }),
        stalls: Stalls { operand, scale_unit, output, fill_drain },
        bytes_read: trace.bytes_read(beat_bytes),
        bytes_written: trace.bytes_written(),
        energy_pj: None,
    };
    let offered = u128::from(trace.cycles) * u128::from(tiles * u64::from(machine.pes() * machine.pe.lanes));
    let useful = u128::from(TileWalk::new(machine, matmul).macs()) * u128::from(matmul.terms);
    SimulateResult {
        inference: None,
        cycles: trace.cycles,
        seconds: trace.cycles as f64 / (f64::from(machine.clock_mhz) * 1e6),
        layers: vec![layer],
        technology: None,
        energy_pj: None,
        utilization: if offered == 0 { 0.0 } else { useful as f64 / offered as f64 },
    }
}
