//! The store unit: outputs to memory, row by row.

use std::mem::take;

use bitmosaic_arch::{Array, COMMAND_QUEUE};
use bitmosaic_mappings::{Beat, Burst, WriteBeat, field};

use super::buffers::Buffers;
use super::bursts::Bursts;
use super::fields::{CommandWords, at, give_up, half, wait_up};
use super::queue::Queue;

/// Bursts granted ahead of their data, and write beats ahead of the memory.
pub(crate) const LENGTH_QUEUE: usize = 4;
pub(crate) const WRITE_QUEUE: usize = 2;

/// The store unit.
#[derive(Debug, Clone)]
pub(super) struct Store<'m> {
    array: &'m Array,
    pub(super) queue: Queue<CommandWords>,
    /// From compute: outputs that are there.
    pub(super) tokens: u32,
    pub(super) bursts: Bursts,
    /// Beats of the bursts granted.
    pub(super) lengths: Queue<u32>,
    /// Beats of the oldest of them that were sent.
    pub(super) sent: u32,
    pub(super) writes: Queue<WriteBeat>,
    pub(super) command: Option<CommandWords>,
    /// Rows are left to read.
    pub(super) reader: Option<StoreReader<'m>>,
    pub(super) fetched: Option<(Beat, u32)>,
    /// Of the last cycle: a command started, a write beat went to its queue.
    pub(super) started: bool,
    pub(super) pushed: bool,
}

/// Walks the outputs of a product token by token, column block by column block, a beat of the memory port at a time.
#[derive(Debug, Clone)]
pub(crate) struct StoreReader<'m> {
    array: &'m Array,
    pub(super) command: CommandWords,
    pub(super) token: u32,
    /// Row within its block; pass of the block; first output channel of the beat; the same within its column block.
    pub(super) row: u32,
    pub(super) row_block: usize,
    pub(super) pass: usize,
    pub(super) channel: u32,
    block_channel: u32,
}

impl<'m> Store<'m> {
    pub(super) fn new(array: &'m Array) -> Store<'m> {
        Store {
            array,
            queue: Queue::new(COMMAND_QUEUE as usize),
            tokens: 0,
            bursts: Bursts::new(array, array.outstanding_writes),
            lengths: Queue::new(LENGTH_QUEUE),
            sent: 0,
            writes: Queue::new(WRITE_QUEUE),
            command: None,
            reader: None,
            fetched: None,
            started: false,
            pushed: false,
        }
    }

    pub(super) fn is_idle(&self) -> bool {
        self.queue.is_empty() && self.command.is_none()
    }

    /// The burst asked for, where its length finds room.
    pub(super) fn request(&self) -> Option<Burst> {
        self.bursts.request().filter(|_| self.lengths.ready())
    }

    pub(super) fn grant(&mut self, burst: Burst) {
        self.bursts.grant(burst);
        self.lengths.push(burst.beats);
    }

    /// The command is done at this edge: whether it gives compute a token.
    pub(super) fn retires(&self) -> Option<bool> {
        let done = !self.bursts.active && self.bursts.outstanding == 0;
        self.command.filter(|_| done).map(|command| give_up(&command))
    }

    /// One cycle; the write beat at the front is taken, the command retires, nothing starts.
    pub(super) fn cycle(&mut self, buffers: &Buffers, write_taken: bool, retires: bool, stop: bool) {
        let advance = self.writes.ready() && !self.lengths.is_empty();
        (self.started, self.pushed) = (false, advance && self.fetched.is_some());
        if write_taken {
            self.writes.pop();
        }
        if self.fetched.is_none() || advance {
            if let Some((data, strobes)) = take(&mut self.fetched) {
                self.sent += 1;
                let last = self.lengths.front().is_some_and(|beats| *beats == self.sent);
                if last {
                    self.lengths.pop();
                    self.sent = 0;
                }
                self.writes.push(WriteBeat { data, strobes, last });
            }
            if let Some(reader) = &mut self.reader {
                self.fetched = Some(reader.read(buffers));
                if !reader.step() {
                    self.reader = None;
                }
            }
        }
        if retires {
            self.command = None;
        }
        // A new command starts in a cycle in which none runs.
        else if self.command.is_none()
            && !stop
            && let Some(command) = self.queue.front().copied()
            && (!wait_up(&command) || self.tokens > 0)
        {
            self.queue.pop();
            self.tokens -= u32::from(wait_up(&command));
            self.command = Some(command);
            self.reader = Some(StoreReader::new(self.array, &command));
            self.started = true;
            let beats = self.array.output_row_beats(at(&command, field::OUTPUT_CHANNELS) as u32) as u32;
            let rows = at(&command, field::TOKENS) as u32;
            self.bursts.start(at(&command, field::ADDRESS), beats, rows, at(&command, field::PITCH) as u32);
        }
    }

    pub(super) fn edge(&mut self) {
        self.queue.edge();
        self.lengths.edge();
        self.writes.edge();
    }
}

impl<'m> StoreReader<'m> {
    pub(crate) fn new(array: &'m Array, command: &CommandWords) -> StoreReader<'m> {
        StoreReader { array, command: *command, token: 0, row: 0, row_block: 0, pass: 0, channel: 0, block_channel: 0 }
    }

    /// Data and strobes of all beats.
    pub(crate) fn beats(mut self, buffers: &Buffers) -> Vec<(Beat, u32)> {
        let mut beats = vec![self.read(buffers)];
        while self.step() {
            beats.push(self.read(buffers));
        }
        beats
    }

    /// Values of a beat.
    fn values(&self) -> u32 {
        self.array.data_bits / 16
    }

    /// Data and strobes of the beat at the present place.
    fn read(&self, buffers: &Buffers) -> (Beat, u32) {
        let channels = at(&self.command, field::OUTPUT_CHANNELS) as u32;
        let row = &buffers.outputs[half(&self.command, 2)][self.pass][self.row as usize];
        let (mut data, mut strobes) = (Beat::default(), 0);
        for i in (0..self.values()).filter(|i| self.channel + i < channels) {
            let value = row[(self.block_channel + i) as usize];
            data[(i / 4) as usize] |= u64::from(value) << (16 * (i % 4));
            strobes |= 3 << (2 * i);
        }
        (data, strobes)
    }

    /// On to the next beat; false after the last.
    fn step(&mut self) -> bool {
        let values = self.values();
        let row_end = self.channel + values >= at(&self.command, field::OUTPUT_CHANNELS) as u32;
        self.channel += values;
        self.block_channel += values;
        if row_end {
            (self.channel, self.block_channel) = (0, 0);
            self.token += 1;
            self.row += 1;
            if self.row == self.array.rows {
                self.row = 0;
                self.row_block += 1;
            }
            self.pass = self.row_block;
            return self.token < at(&self.command, field::TOKENS) as u32;
        }
        if self.block_channel == self.array.columns {
            self.block_channel = 0;
            self.pass += at(&self.command, field::ROW_BLOCKS) as usize;
        }
        true
    }
}
