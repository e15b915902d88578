//! Command fetch.

use bitmosaic_arch::{Array, FETCH_COMMANDS};
use bitmosaic_mappings::{Beat, Burst, COMMAND_BYTES, Start};

use super::adapter::Adapter;
use super::fields::CommandWords;
use super::queue::Queue;

/// Reads a program ahead of its execution, up to `2 · FETCH_COMMANDS` commands.
#[derive(Debug, Clone)]
pub(super) struct Fetch {
    command_beats: u32,
    pub(super) address: u64,
    /// Commands not yet asked for.
    pub(super) left: u32,
    /// Commands asked for and not yet handed to a queue.
    pub(super) reserved: u32,
    pub(super) adapter: Adapter,
    pub(super) commands: Queue<CommandWords>,
    /// Bursts on their way.
    pub(super) outstanding: u32,
}

impl Fetch {
    pub(super) fn new(array: &Array) -> Fetch {
        let command_bits = 8 * COMMAND_BYTES as u32;
        Fetch {
            command_beats: command_bits / array.data_bits,
            address: 0,
            left: 0,
            reserved: 0,
            adapter: Adapter::new(array.data_bits, command_bits),
            commands: Queue::new(2 * FETCH_COMMANDS as usize),
            outstanding: 0,
        }
    }

    pub(super) fn start(&mut self, start: Start) {
        (self.address, self.left) = (start.address, start.commands);
    }

    pub(super) fn request(&self) -> Option<Burst> {
        let beats = self.left.min(FETCH_COMMANDS) * self.command_beats;
        (self.left > 0 && self.reserved <= FETCH_COMMANDS).then_some(Burst { address: self.address, beats })
    }

    pub(super) fn grant(&mut self) {
        let commands = self.left.min(FETCH_COMMANDS);
        self.address += u64::from(commands) * COMMAND_BYTES as u64;
        self.left -= commands;
        self.reserved += commands;
        self.outstanding += 1;
    }

    /// Takes a beat of commands; there is room for every one that was asked for.
    pub(super) fn take(&mut self, beat: &Beat) {
        let word = self.adapter.word(Some(beat));
        self.adapter.edge(Some(beat), word.is_some(), false, false);
        if let Some(command) = word.and_then(|word| word.try_into().ok()) {
            self.commands.push(command);
        }
    }

    /// The oldest command goes to its queue.
    pub(super) fn dispatch(&mut self) {
        self.commands.pop();
        self.reserved -= 1;
    }

    /// Nothing is held or asked for but the command at the front.
    pub(super) fn is_last(&self) -> bool {
        self.left == 0 && self.reserved == 1
    }
}
