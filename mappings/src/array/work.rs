//! What a program takes at least, in closed form.

use bitmosaic_arch::Machine;

use crate::{Command, Program};

impl Program {
    /// Cycles that the way into the buffers takes: a weight word, or an entry of a row of activations, or a beat a cycle.
    pub fn load_cycles(&self, machine: &Machine) -> u64 {
        let Some(array) = &machine.array else { return 0 };
        let of = |command: &Command| match command {
            Command::LoadWeights(load) => {
                let beats = u64::from(load.beats);
                // Beats end with the last word, so that the words are those that fit, less what pads the last beat.
                beats.max(beats * u64::from(array.data_bits) / u64::from(array.weight_word_bits))
            }
            Command::LoadActivations(load) => {
                let entries = u64::from(load.input_channels.div_ceil(machine.entry_channels));
                u64::from(load.tokens) * entries.max(array.activation_row_beats(machine, load.input_channels))
            }
            Command::Matmul(_) | Command::Store(_) | Command::End => 0,
        };
        self.commands.iter().map(of).sum()
    }

    /// Cycles that no memory of `bytes_per_cycle` and no schedule can go below: the steps of the tiles, the way into the buffers,
    /// the beats of each direction, and the bytes of both.
    pub fn least_cycles(&self, machine: &Machine, bytes_per_cycle: u32) -> u64 {
        let events = self.events(machine);
        let beat = machine.array.as_ref().map_or(1, |array| u64::from(array.beat_bytes()));
        let memory = (events.read_beats + events.written_beats) * beat / u64::from(bytes_per_cycle.max(1));
        events.steps.max(self.load_cycles(machine)).max(events.read_beats).max(events.written_beats).max(memory)
    }

    /// Cycles within which the program ends in a memory without gates: every byte alone, every step alone.
    pub fn cycle_limit(&self, machine: &Machine, latency: u32) -> u64 {
        let waits = self.commands.len() as u64 * u64::from(latency + 100);
        (self.least_cycles(machine, 1) + waits) * 8 + 100_000
    }
}
