//! What a program takes at least, in closed form.

use bitmosaic_arch::Machine;

use crate::{Command, Program, TileWalk};

/// What a program has to do, whatever the memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ProgramWork {
    /// Cycles in which the array computes: digit planes of chunks.
    pub steps: u64,
    /// Cycles that the way into the buffers takes: a weight word, or a chunk of a row of activations, or a beat a cycle.
    pub load_cycles: u64,
    /// Bytes of operands that are loaded.
    pub read_bytes: u64,
    /// Bytes of outputs in whole beats.
    pub written_bytes: u64,
}

impl Program {
    /// What the commands do on a machine; nothing without array.
    pub fn work(&self, machine: &Machine) -> ProgramWork {
        let Some(array) = &machine.array else { return ProgramWork::default() };
        let (mut steps, mut load_cycles, mut read, mut written) = (0, 0, 0, 0);
        for command in &self.commands {
            match command {
                Command::LoadWeights(load) => {
                    let beats = u64::from(load.beats);
                    // Beats end with the last word, so that the words are those that fit, less what pads the last beat.
                    let words = beats * u64::from(array.data_bits) / u64::from(array.weight_word_bits);
                    load_cycles += beats.max(words);
                    read += beats;
                }
                Command::LoadActivations(load) => {
                    let beats = array.activation_row_beats(machine, load.input_channels);
                    let chunks = u64::from(load.input_channels.div_ceil(machine.pe.lanes));
                    load_cycles += u64::from(load.tokens) * beats.max(chunks);
                    read += u64::from(load.tokens) * beats;
                }
                Command::Matmul(matmul) => {
                    let walk = TileWalk::new(machine, matmul);
                    let pass: usize = walk.group_reads().map(|g| g.chunks * g.times * g.terms).sum();
                    steps += (walk.pass_count() * pass) as u64;
                }
                Command::Store(store) => {
                    written += u64::from(store.tokens) * array.output_row_beats(store.output_channels);
                }
                Command::End => {}
            }
        }
        let beat = u64::from(array.beat_bytes());
        ProgramWork { steps, load_cycles, read_bytes: read * beat, written_bytes: written * beat }
    }

    /// Cycles that no memory of `bytes_per_cycle` and no schedule can go below: the steps of the tiles, the beats of each
    /// direction, and the bytes of both.
    pub fn least_cycles(&self, machine: &Machine, bytes_per_cycle: u32) -> u64 {
        let ProgramWork { steps, read_bytes, written_bytes, .. } = self.work(machine);
        let beat = machine.array.as_ref().map_or(1, |array| u64::from(array.beat_bytes()));
        let memory = (read_bytes + written_bytes) / u64::from(bytes_per_cycle.max(1));
        steps.max(read_bytes / beat).max(written_bytes / beat).max(memory)
    }

    /// Cycles within which the program ends in a memory without gates: every byte alone, every step alone.
    pub fn cycle_limit(&self, machine: &Machine, latency: u32) -> u64 {
        let waits = self.commands.len() as u64 * u64::from(latency + 100);
        (self.least_cycles(machine, 1) + waits) * 8 + 100_000
    }
}
