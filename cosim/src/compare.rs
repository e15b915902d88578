use bitmosaic_arch::{BlockPe, IntPe, Machine, PeWidths};
use bitmosaic_kernels::{BlockDatapath, FloatDatapath, KernelError, MacDatapath, PackedDigits};
use bitmosaic_mappings::{Command, TileWalk, UnitTrace, read_bits};
use bitmosaic_results::{CosimResult, Mismatch};

use bitmosaic_workloads::trace::LayerTrace;

use crate::{Case, CosimError, Engine, EngineRun, Outputs};

/// Differences that a result lists one by one.
pub(crate) const LISTED: usize = 16;

/// Compares a run with the simulator's and adds the differences to the result.
pub fn compare(case: &Case, engine: Engine, reference: &EngineRun, run: &EngineRun, result: &mut CosimResult) {
    let (bits, cycles) = compare_traces(&reference.aligner, &run.aligner);
    result.mismatched_bits += bits;
    result.mismatched_cycles += cycles;
    let (bits, cycles) = compare_traces(&reference.tile, &run.tile);
    result.mismatched_bits += bits;
    result.mismatched_cycles += cycles;
    if bits + cycles > 0 {
        list_outputs(case, engine, &reference.tile, &run.tile, result);
    }
}

/// Compares the simulator's outputs with the host's datapath, which knows no cycles, and adds the differing bits. Gives the
/// outputs of each layer.
///
/// # Errors
/// `Mapping` if output beats are missing, `Kernel` for operands the host refuses.
pub fn compare_with_host(case: &Case, run: &EngineRun, result: &mut CosimResult) -> Result<Vec<Outputs>, CosimError> {
    let outputs = case.outputs(&run.tile.outputs)?;
    for (layer, machine) in case.layers.iter().zip(&outputs) {
        let host = host_outputs(&case.machine, layer)?;
        let channels = layer.weights.output_channels;
        for (i, (machine, host)) in machine.iter().zip(&host).enumerate() {
            let bits = (machine.to_bits() ^ host.to_bits()).count_ones();
            result.mismatched_bits += u64::from(bits);
            if bits > 0 && result.mismatches.len() < LISTED {
                result.mismatches.push(Mismatch {
                    engine: "host".to_string(),
                    output_channel: (i % channels) as u64,
                    token: (i / channels) as u64,
                    cycle: None,
                    expected: format!("{:#06x}", machine.to_bits()),
                    found: format!("{:#06x}", host.to_bits()),
                });
            }
        }
    }
    Ok(outputs)
}

/// Outputs of a layer as the host computes them for this machine, without cycles.
///
/// # Errors
/// `Kernel` for operands the host refuses.
pub fn host_outputs(machine: &Machine, layer: &LayerTrace) -> Result<Outputs, KernelError> {
    let (activations, weights) = (&layer.activations.values, &layer.weights);
    match &machine.pe.kind {
        PeWidths::Block(BlockPe { significand_bits, .. }) | PeWidths::Int(IntPe { significand_bits, .. }) => {
            let datapath = BlockDatapath { significand_bits: *significand_bits, group: weights.group };
            datapath.outputs(activations, weights)
        }
        PeWidths::Float(float) => {
            let datapath = FloatDatapath {
                lanes: machine.pe.lanes as usize,
                guard_bits: float.guard_bits,
                accumulator_guard_bits: float.accumulator_guard_bits,
            };
            PackedDigits::new(&datapath, weights)?.outputs(activations)
        }
        PeWidths::Mac(widths) => {
            let datapath = MacDatapath {
                lanes: machine.pe.lanes as usize,
                guard_bits: widths.guard_bits,
                accumulator_guard_bits: widths.accumulator_guard_bits,
            };
            datapath.outputs(activations, weights)
        }
    }
}

/// Differing data bits (a missing or extra beat counts all its bits), and differing cycles of beats and retirements and
/// differing status counts.
fn compare_traces(reference: &UnitTrace, run: &UnitTrace) -> (u64, u64) {
    let (mut bits, mut cycles) = (0, 0);
    for i in 0..reference.outputs.len().max(run.outputs.len()) {
        match (reference.outputs.get(i), run.outputs.get(i)) {
            (Some(a), Some(b)) => {
                bits += a.data.iter().zip(&b.data).map(|(x, y)| u64::from((x ^ y).count_ones())).sum::<u64>();
                cycles += u64::from(a.cycle != b.cycle);
            }
            (Some(beat), None) | (None, Some(beat)) => {
                bits += beat.data.len() as u64 * 64;
                cycles += 1;
            }
            (None, None) => {}
        }
    }
    for i in 0..reference.retirements.len().max(run.retirements.len()) {
        cycles += u64::from(reference.retirements.get(i) != run.retirements.get(i));
    }
    let status = reference.status_cycles.iter().zip(&run.status_cycles);
    cycles += status.filter(|(a, b)| a != b).count() as u64;
    (bits, cycles)
}

fn list_outputs(case: &Case, engine: Engine, reference: &UnitTrace, run: &UnitTrace, result: &mut CosimResult) {
    let mut first = 0;
    for command in &case.lowered.program.commands {
        let Command::Matmul(matmul) = command else { continue };
        let walk = TileWalk::new(&case.machine, matmul);
        for beat in 0..walk.output_beats(&case.machine) {
            let (expected, found) = (reference.outputs.get(first + beat), run.outputs.get(first + beat));
            if expected == found {
                continue;
            }
            for unit in 0..case.machine.scale_unit.units {
                let Some(place) = walk.output_place(&case.machine, beat, unit as usize) else { continue };
                let text = |beat: Option<&bitmosaic_mappings::OutputBeat>| match beat {
                    Some(b) => format!("{:#06x} in cycle {}", read_bits(&b.data, unit * 16, 16), b.cycle),
                    None => "no beat".to_string(),
                };
                let (expected, text_found) = (text(expected), text(found));
                if expected != text_found && result.mismatches.len() < LISTED {
                    result.mismatches.push(Mismatch {
                        engine: engine.name().to_string(),
                        output_channel: place.output_channel as u64,
                        token: place.token as u64,
                        cycle: found.map(|b| b.cycle),
                        expected,
                        found: text_found,
                    });
                }
            }
        }
        first += walk.output_beats(&case.machine);
    }
}
