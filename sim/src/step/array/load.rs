//! The load unit: a generator asks for bursts, the sink, a command behind, fills the buffers.

use bitmosaic_arch::{Array, COMMAND_QUEUE, Machine};
use bitmosaic_mappings::{Beat, PortInputs, Signals, Unit, field, opcode, read_bits};

use super::adapter::Adapter;
use super::buffers::Buffers;
use super::bursts::Bursts;
use super::fields::{CommandWords, at, give_down, half, wait_down};
use super::queue::Queue;
use crate::step::AlignerStep;

/// Commands between generator and sink.
pub(crate) const SINK_QUEUE: usize = 2;

/// The load unit.
#[derive(Debug, Clone)]
pub(super) struct Load<'m> {
    machine: &'m Machine,
    array: &'m Array,
    pub(super) queue: Queue<CommandWords>,
    /// From compute: halves that are free again.
    pub(super) tokens: u32,
    pub(super) bursts: Bursts,
    pub(super) sink_queue: Queue<CommandWords>,
    pub(super) sink: Option<Sink>,
    pub(super) words: Adapter,
    pub(super) entries: Adapter,
    pub(super) aligner: Option<AlignerStep<'m>>,
}

/// Where the sink stands in its command.
#[derive(Debug, Clone)]
pub(super) struct Sink {
    pub(super) command: CommandWords,
    pub(super) weights: bool,
    /// Feed side of activations: input channels of the row, and rows.
    pub(super) fed_k: u32,
    pub(super) fed_tokens: u32,
    /// The rest counts where data is written.
    pub(super) phase: Phase,
    pub(super) index: u32,
    pub(super) k: u32,
    pub(super) group_k: u32,
    /// Output channels (weights) or tokens (activations) done.
    pub(super) done: u32,
    pub(super) row: u32,
    pub(super) block: usize,
    pub(super) entry: usize,
    pub(super) group: usize,
    /// Entry and group at the start of the row block.
    block_start: (usize, usize),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    Channels,
    Record,
    Codes,
}

/// What the load unit does at the edge.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct LoadEdge {
    /// The offered beat was taken.
    pub(super) beat_taken: bool,
    /// A command is done: whether it gives compute a token.
    pub(super) retired: Option<bool>,
    /// The oldest command waits for a token of compute.
    pub(super) waits: bool,
    /// A command's bursts begin.
    pub(super) started: bool,
    /// A weight word, or an entry of activations, was written.
    pub(super) word: bool,
    pub(super) written: bool,
}

impl<'m> Load<'m> {
    pub(super) fn new(machine: &'m Machine, array: &'m Array) -> Load<'m> {
        Load {
            machine,
            array,
            queue: Queue::new(COMMAND_QUEUE as usize),
            tokens: 0,
            bursts: Bursts::new(array, array.outstanding_reads),
            sink_queue: Queue::new(SINK_QUEUE),
            sink: None,
            words: Adapter::new(array.data_bits, array.weight_word_bits),
            entries: Adapter::new(array.data_bits, 16 * machine.entry_channels),
            aligner: machine.aligner.as_ref().map(|_| AlignerStep::new(machine)),
        }
    }

    pub(super) fn is_idle(&self) -> bool {
        self.queue.is_empty() && !self.bursts.active && self.sink_queue.is_empty() && self.sink.is_none()
    }

    /// One cycle, given the beat offered for it. Nothing starts when `stop` is set.
    pub(super) fn cycle(&mut self, beat: Option<&Beat>, buffers: &mut Buffers, stop: bool) -> LoadEdge {
        let mut edge = LoadEdge::default();
        // The generator's start is decided on the state before the edge, so it comes last.
        let next = self.queue.front().copied();
        let room = self.sink_queue.ready() && !self.bursts.active;
        let accept = self.sink.is_none().then(|| self.sink_queue.front().copied()).flatten();
        match &self.sink {
            Some(sink) if sink.weights => self.weights(beat, buffers, &mut edge),
            _ => self.activations(beat, accept.as_ref(), buffers, &mut edge),
        }
        if let Some(command) = accept {
            self.sink_queue.pop();
            self.sink = Some(Sink::new(command));
        }
        if let Some(command) = next {
            let token = !wait_down(&command) || self.tokens > 0;
            edge.waits = !token;
            if room && token && !stop {
                self.queue.pop();
                self.tokens -= u32::from(wait_down(&command));
                self.start(&command);
                self.sink_queue.push(command);
                edge.started = true;
            }
        }
        edge
    }

    pub(super) fn edge(&mut self) {
        self.queue.edge();
        self.sink_queue.edge();
    }

    fn start(&mut self, command: &CommandWords) {
        let address = at(command, field::ADDRESS);
        let (beats, rows, pitch) = if at(command, field::OPCODE) == u64::from(opcode::LOAD_WEIGHTS) {
            (at(command, field::BEATS) as u32, 1, 0)
        } else {
            let input_channels = at(command, field::INPUT_CHANNELS) as u32;
            let beats = self.array.activation_row_beats(self.machine, input_channels) as u32;
            (beats, at(command, field::TOKENS) as u32, at(command, field::PITCH) as u32)
        };
        self.bursts.start(address, beats, rows, pitch);
    }

    fn weights(&mut self, beat: Option<&Beat>, buffers: &mut Buffers, edge: &mut LoadEdge) {
        let Some(sink) = &mut self.sink else { return };
        let word = self.words.word(beat);
        let taken = word.is_some();
        edge.word = taken;
        let mut end = false;
        if let Some(word) = word {
            end = sink.weight_word(self.machine, self.array, word, buffers);
        }
        edge.beat_taken = self.words.edge(beat, taken, end, end);
        if end {
            edge.retired = Some(give_down(&sink.command));
            self.sink = None;
        }
    }

    /// Entries go to the aligner, if there is one, and its beats to the buffer; the aligner also moves between commands.
    fn activations(
        &mut self,
        beat: Option<&Beat>,
        accept: Option<&CommandWords>,
        buffers: &mut Buffers,
        edge: &mut LoadEdge,
    ) {
        let step = self.machine.entry_channels;
        let tokens = |sink: &Sink| at(&sink.command, field::TOKENS) as u32;
        // The beat after a command's last belongs to the next command.
        let feeding = self.sink.as_ref().filter(|sink| !sink.weights && sink.fed_tokens < tokens(sink));
        let beat = feeding.and(beat);
        let entry = feeding.and_then(|_| self.entries.word(beat));
        let row_end = feeding.is_some_and(|s| s.fed_k + step >= at(&s.command, field::INPUT_CHANNELS) as u32);
        let command_end = row_end && feeding.is_some_and(|s| s.fed_tokens + 1 == tokens(s));
        let mut fed = entry.is_some();
        let mut written = entry.clone();
        if let Some(aligner) = &mut self.aligner {
            let start = accept.filter(|c| at(c, field::OPCODE) == u64::from(opcode::LOAD_ACTIVATIONS));
            let blank = vec![0; (16 * step).div_ceil(64) as usize];
            let inputs = PortInputs {
                valid: u32::from(start.is_some()) | u32::from(entry.is_some()) << 1,
                data: vec![start.map_or(&[0; 4], |c| c), entry.as_deref().unwrap_or(&blank)],
                output_ready: true,
            };
            let mut signals = Signals::default();
            aligner.cycle(&inputs, &mut signals);
            fed = signals.ready >> 1 & 1 == 1 && entry.is_some();
            written = signals.output_valid.then_some(signals.output);
        }
        let Some(sink) = self.sink.as_mut().filter(|sink| !sink.weights) else { return };
        edge.written = written.is_some();
        let end = written.is_some_and(|word| sink.activation_word(self.machine, self.array, &word, buffers));
        if fed {
            sink.fed_k = if row_end { 0 } else { sink.fed_k + step };
            sink.fed_tokens += u32::from(row_end);
        }
        edge.beat_taken = self.entries.edge(beat, fed, row_end, command_end);
        if end {
            edge.retired = Some(give_down(&sink.command));
            self.sink = None;
        }
    }
}

impl Sink {
    fn new(command: CommandWords) -> Sink {
        Sink {
            command,
            weights: at(&command, field::OPCODE) == u64::from(opcode::LOAD_WEIGHTS),
            fed_k: 0,
            fed_tokens: 0,
            phase: Phase::Channels,
            index: 0,
            k: 0,
            group_k: 0,
            done: 0,
            row: 0,
            block: 0,
            entry: 0,
            group: 0,
            block_start: (0, 0),
        }
    }

    /// Ends an entry of `step` input channels: whether its group and its pass end.
    fn count_entry(&mut self, step: u32) -> (bool, bool) {
        let (k, group_k) = (self.k + step, self.group_k + step);
        let pass_end = k >= at(&self.command, field::INPUT_CHANNELS) as u32;
        let group_end = pass_end || group_k >= at(&self.command, field::GROUP) as u32;
        self.k = if pass_end { 0 } else { k };
        self.group_k = if group_end { 0 } else { group_k };
        self.entry += 1;
        self.group += usize::from(group_end);
        (group_end, pass_end)
    }

    /// Writes a weight word; whether it was the command's last.
    fn weight_word(&mut self, machine: &Machine, array: &Array, word: Vec<u64>, buffers: &mut Buffers) -> bool {
        let half = half(&self.command, 0);
        let index = self.index as usize;
        self.index += 1;
        match self.phase {
            Phase::Channels => {
                buffers.channels[half][self.block][index] = word;
                if self.index == array.channel_words {
                    (self.phase, self.index) = (Phase::Record, 0);
                }
            }
            Phase::Record => {
                buffers.records[half][self.group][index] = word;
                if self.index == array.record_words {
                    (self.phase, self.index) = (Phase::Codes, 0);
                }
            }
            Phase::Codes => {
                buffers.weights[half][self.entry][index] = word;
                let weight_type = at(&self.command, field::WEIGHT_TYPE) as usize % machine.types.len();
                if self.index == machine.types[weight_type].weight_type.code_bits {
                    self.index = 0;
                    let (group_end, pass_end) = self.count_entry(machine.entry_channels);
                    if group_end {
                        self.phase = Phase::Record;
                    }
                    if pass_end {
                        self.phase = Phase::Channels;
                        self.block += 1;
                        self.done += machine.tile.columns;
                        return self.done >= at(&self.command, field::OUTPUT_CHANNELS) as u32;
                    }
                }
            }
        }
        false
    }

    /// Writes an entry of aligned or FP16 activations; whether it was the command's last.
    fn activation_word(&mut self, machine: &Machine, array: &Array, word: &[u64], buffers: &mut Buffers) -> bool {
        let half = half(&self.command, 1);
        let row = self.row as usize;
        let value_bits = machine.entry_channels * machine.pe.activation_bits;
        let (entry, group) = (self.entry, self.group);
        buffers.activations[half][entry][row] = take_bits(word, 0, value_bits);
        let (group_end, pass_end) = self.count_entry(machine.entry_channels);
        if let Some(bits) = array.exponent_entry_bits.filter(|_| group_end) {
            buffers.exponents[half][group][row] = read_bits(word, value_bits, bits);
        }
        if pass_end {
            self.row += 1;
            self.done += 1;
            if self.row == array.rows {
                self.row = 0;
                self.block_start = (self.entry, self.group);
            } else {
                (self.entry, self.group) = self.block_start;
            }
        }
        pass_end && self.done == at(&self.command, field::TOKENS) as u32
    }
}

/// Bits of a word as a word.
fn take_bits(word: &[u64], low: u32, bits: u32) -> Vec<u64> {
    (0..bits).step_by(64).map(|i| read_bits(word, low + i, (bits - i).min(64))).collect()
}

/// Loads what a command names from memory into the buffers, without time. Bytes beyond the memory are zero.
pub(crate) fn load_buffers(
    machine: &Machine,
    array: &Array,
    command: &CommandWords,
    memory: &[u8],
    buffers: &mut Buffers,
) {
    let address = at(command, field::ADDRESS) as usize;
    let mut sink = Sink::new(*command);
    let word = |bit: usize, bits: u32| -> Vec<u64> {
        let byte = |i: usize| u64::from(memory.get(i).copied().unwrap_or(0));
        let part = |low: usize, bits: u32| {
            let value = (0..9).rev().fold(0u128, |value, i| value << 8 | u128::from(byte(low / 8 + i)));
            (value >> (low % 8)) as u64 & (u64::MAX >> (64 - bits))
        };
        (0..bits).step_by(64).map(|i| part(bit + i as usize, (bits - i).min(64))).collect()
    };
    if sink.weights {
        let bits = array.weight_word_bits;
        let mut bit = 8 * address;
        while !sink.weight_word(machine, array, word(bit, bits), buffers) {
            bit += bits as usize;
        }
        return;
    }
    let bits = 16 * machine.entry_channels;
    let entries = (at(command, field::INPUT_CHANNELS) as u32).div_ceil(machine.entry_channels) as usize;
    let rows = at(command, field::TOKENS) as usize;
    let pitch = at(command, field::PITCH) as usize;
    let mut fp16 =
        (0..rows).flat_map(|row| (0..entries).map(move |entry| 8 * (address + row * pitch) + entry * bits as usize));
    let Some(_) = &machine.aligner else {
        fp16.any(|bit| sink.activation_word(machine, array, &word(bit, bits), buffers));
        return;
    };
    let mut aligner = AlignerStep::new(machine);
    let mut signals = Signals::default();
    let mut entry = None;
    let mut start = Some(command);
    loop {
        entry = entry.or_else(|| fp16.next().map(|bit| word(bit, bits)));
        let inputs = PortInputs {
            valid: u32::from(start.is_some()) | u32::from(entry.is_some()) << 1,
            data: vec![command, entry.as_deref().unwrap_or_default()],
            output_ready: true,
        };
        aligner.cycle(&inputs, &mut signals);
        start = None;
        if signals.ready >> 1 & 1 == 1 {
            entry = None;
        }
        if signals.output_valid && sink.activation_word(machine, array, &signals.output, buffers) {
            return;
        }
    }
}
