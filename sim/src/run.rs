//! A whole machine with its memory, cycle by cycle: the harness of every engine that runs in this process.

use bitmosaic_mappings::{Accelerator, AxiOutputs, Burst, Reader, Start, WriteBeat, ports};

use crate::memory::IdealMemory;

/// What happened at the memory port and in the queues. Two engines agree when their traces are equal.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ArrayTrace {
    /// Read bursts taken, with the edge; edges count from the one that starts the program.
    pub reads: Vec<(u64, Reader, Burst)>,
    /// Write bursts taken.
    pub writes: Vec<(u64, Burst)>,
    /// Write beats taken.
    pub beats: Vec<(u64, WriteBeat)>,
    /// Edges at which commands of the queues load, compute and store retired.
    pub retirements: [Vec<u64>; 3],
    /// Cycles in which each bit of [`ports::ARRAY_STATUS`] was set.
    pub status_cycles: [u64; ports::ARRAY_STATUS.len()],
    /// Cycles from the start to the edge that sets `done`, inclusive.
    pub cycles: u64,
    /// Error code of the end, 0 for a good one.
    pub error: u32,
}

impl ArrayTrace {
    /// Bytes read, whole beats of `beat_bytes` each: program, operands and their padding.
    pub fn bytes_read(&self, beat_bytes: u32) -> u64 {
        self.reads.iter().map(|(_, _, burst)| u64::from(burst.beats) * u64::from(beat_bytes)).sum()
    }

    /// Bytes written, by the strobes.
    pub fn bytes_written(&self) -> u64 {
        self.beats.iter().map(|(_, beat)| u64::from(beat.strobes.count_ones())).sum()
    }
}

/// A machine that did not end.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "the machine did not end within {limit} cycles: {} load, {} matmul and {} store commands retired, {} beats written",
    .trace.retirements[0].len(), .trace.retirements[1].len(), .trace.retirements[2].len(), .trace.beats.len()
)]
pub struct ArrayWatchdog {
    /// The bound.
    pub limit: u64,
    /// What happened until then.
    pub trace: Box<ArrayTrace>,
}

/// Runs a program to its end.
///
/// # Errors
/// `ArrayWatchdog` after `limit` cycles.
pub fn run_array(
    machine: &mut dyn Accelerator,
    memory: &mut IdealMemory,
    start: Start,
    limit: u64,
) -> Result<ArrayTrace, ArrayWatchdog> {
    let mut trace = ArrayTrace::default();
    let mut outputs = AxiOutputs::default();
    for edge in 0..limit {
        let mut inputs = memory.outputs();
        inputs.start = (edge == 0).then_some(start);
        machine.cycle(&inputs, &mut outputs);
        if let Some((reader, burst)) = outputs.read_address.filter(|_| inputs.read_address_ready) {
            trace.reads.push((edge, reader, burst));
        }
        if let Some(burst) = outputs.write_address.filter(|_| inputs.write_address_ready) {
            trace.writes.push((edge, burst));
        }
        if let Some(beat) = outputs.write.filter(|_| inputs.write_ready) {
            trace.beats.push((edge, beat));
        }
        for (i, queue) in trace.retirements.iter_mut().enumerate() {
            if outputs.retire >> i & 1 == 1 {
                queue.push(edge);
            }
        }
        // `done` shows in the cycle after the edge that set it.
        if outputs.done && edge > 0 {
            trace.cycles = edge;
            trace.error = machine.error();
            return Ok(trace);
        }
        // Counted like the hardware's counters: a command that an error left waiting goes on to show its status after the end.
        for (i, cycles) in trace.status_cycles.iter_mut().enumerate() {
            *cycles += u64::from(outputs.status >> i & 1);
        }
        memory.edge(&outputs);
    }
    Err(ArrayWatchdog { limit, trace: Box::new(trace) })
}
