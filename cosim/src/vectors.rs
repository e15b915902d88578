//! The program that goes with the exported Verilog of a whole machine, run by the step engine and checked by the host.

use std::fmt::Write as _;

use bitmosaic_arch::Machine;
use bitmosaic_mappings::{MappingError, Reader};
use bitmosaic_rtl::emit::bundle::Vectors;
use bitmosaic_sim::memory::MemoryTiming;
use bitmosaic_sim::run::ArrayTrace;
use bitmosaic_workloads::trace::LayerTrace;

use crate::array::{ArrayCase, differing_from_host, memory_hex, plusargs, run_array_engine};
use crate::random::{Activation, LayerShape, Random, layer};
use crate::{CosimError, Engine, ExternalSettings};

/// Vectors of a machine: a ragged product of every weight type, so that every command and every edge occurs.
///
/// # Errors
/// `Mapping` for a design without array; `Differs` where the step engine's outputs are not the host's: a bug.
pub fn vectors(machine: &Machine) -> Result<Vectors, CosimError> {
    let no_array = || MappingError::Field {
        field: "design".into(),
        found: machine.name.clone(),
        expected: "a design with `array`, `buffers` and `memory`".into(),
    };
    let array = machine.array.as_ref().ok_or_else(no_array)?;
    let (lanes, entry) = (machine.pe.lanes as usize, machine.entry_channels as usize);
    let group = (2 * lanes).max(entry).min(machine.max_group as usize);
    let entries = array.weight_entries.min(array.activation_entries) as usize;
    let shape = LayerShape {
        tokens: array.rows as usize + 1,
        output_channels: array.columns as usize + 1,
        input_channels: (2 * group - 1).min(entry * entries),
        group,
    };
    let mut random = Random::new(1);
    let of = |executed: &bitmosaic_arch::ExecutedType| {
        layer(&mut random, machine, &executed.weight_type, shape, Activation::Normal)
    };
    let layers: Vec<LayerTrace> = machine.types.iter().map(of).collect();
    let timing = MemoryTiming {
        latency: 20,
        bytes_per_cycle: array.beat_bytes(),
        outstanding: array.outstanding_reads + array.outstanding_writes,
        seed: 1,
        threshold: 64,
    };
    let case = ArrayCase::new(machine.clone(), layers, timing, 1)?;
    let run = run_array_engine(&case, Engine::Step, &ExternalSettings::default())?;
    let differing = differing_from_host(&case, &run)?;
    if differing > 0 || run.trace.error != 0 {
        return Err(CosimError::Differs { design: machine.name.clone(), differing, error: run.trace.error });
    }
    let products = machine.types.iter().map(|executed| executed.weight_type.name).collect::<Vec<_>>().join(", ");
    let LayerShape { tokens, output_channels, input_channels, .. } = shape;
    Ok(Vectors {
        memory: memory_hex(&case.program.memory, array.beat_bytes() as usize),
        memory_beats: case.program.memory.len().div_ceil(array.beat_bytes() as usize) as u64,
        commands: case.program.program.commands.len() as u32,
        trace: trace_text(&run.trace, array.data_bits),
        plusargs: plusargs(&case),
        summary: format!(
            "It is a product {tokens}x{input_channels}x{output_channels} (MxKxN) of each type: {products}."
        ),
        cycles: run.trace.cycles,
    })
}

/// A trace as the testbench writes it.
fn trace_text(trace: &ArrayTrace, data_bits: u32) -> String {
    let mut lines: Vec<(u64, u8, String)> = Vec::new();
    for (cycle, reader, burst) in &trace.reads {
        let id = u8::from(*reader == Reader::Load);
        lines.push((*cycle, 0, format!("a {cycle} {id} {} {}", burst.address, burst.beats)));
    }
    for (cycle, burst) in &trace.writes {
        lines.push((*cycle, 1, format!("b {cycle} {} {}", burst.address, burst.beats)));
    }
    let digits = |bits: u32| bits.div_ceil(4) as usize;
    for (cycle, beat) in &trace.beats {
        let data: String = beat.data.iter().rev().map(|word| format!("{word:016x}")).collect();
        let data = &data[data.len() - digits(data_bits)..];
        let strobes = digits(data_bits / 8);
        lines.push((*cycle, 2, format!("w {cycle} {data} {:0strobes$x} {}", beat.strobes, u8::from(beat.last))));
    }
    let mut cycles: Vec<u64> = trace.retirements.iter().flatten().copied().collect();
    cycles.sort_unstable();
    cycles.dedup();
    for cycle in cycles {
        let queues = trace.retirements.iter().rev();
        let bits = queues.fold(0, |bits, queue| bits << 1 | u8::from(queue.binary_search(&cycle).is_ok()));
        lines.push((cycle, 3, format!("r {cycle} {bits}")));
    }
    lines.sort_by_key(|(cycle, kind, _)| (*cycle, *kind));
    let mut text = lines.into_iter().fold(String::new(), |mut text, (_, _, line)| {
        text += &line;
        text.push('\n');
        text
    });
    let read_beats = trace.reads.iter().map(|(_, _, burst)| u64::from(burst.beats)).sum();
    let own = [trace.cycles, read_beats, trace.beats.len() as u64];
    for (i, value) in own.into_iter().chain(trace.status_cycles).enumerate() {
        let _ = writeln!(text, "c {i} {value}");
    }
    // The status register: done, and the error.
    let _ = writeln!(text, "e {}\ndone", 2 | trace.error << 4);
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::array::{parse_trace, random_case};
    use crate::external::Tool;

    #[test]
    fn a_trace_reads_back_as_it_was_written() {
        for seed in 0..8 {
            let case = random_case(seed).unwrap();
            let run = run_array_engine(&case, Engine::Step, &ExternalSettings::default()).unwrap();
            let data_bits = case.machine.array.as_ref().unwrap().data_bits;
            let text = trace_text(&run.trace, data_bits);
            assert!(text.lines().any(|line| line.starts_with("w ")));
            assert_eq!(parse_trace(Tool::Icarus, &text, data_bits).unwrap(), run.trace);
        }
    }
}
