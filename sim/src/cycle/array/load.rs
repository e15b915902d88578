//! Timing of the load unit: `sim/src/step/array/load.rs` without data.

use bitmosaic_arch::{self as arch, Array, COMMAND_QUEUE, Machine};

use super::job::{Job, LoadJob, load_at};
use super::queue::Queue;
use crate::step::array::{Bursts, SINK_QUEUE};

/// Splits beats into words or joins them, one of the two ratios is 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Adapter {
    words: u32,
    beats: u32,
    held: bool,
    index: u32,
}

impl Adapter {
    fn new(beat_bits: u32, word_bits: u32) -> Adapter {
        Adapter { words: (beat_bits / word_bits).max(1), beats: (word_bits / beat_bits).max(1), held: false, index: 0 }
    }

    /// A word is offered.
    fn word(&self, beat: bool) -> bool {
        match self.words {
            1 => beat && self.index + 1 == self.beats,
            _ => self.held,
        }
    }

    /// Takes the edge; whether the offered beat was taken.
    fn edge(&mut self, beat: bool, taken: bool, row_end: bool, command_end: bool) -> bool {
        if self.words == 1 {
            let takes = beat && (self.index + 1 < self.beats || taken);
            if takes {
                self.index = (self.index + 1) % self.beats;
            }
            return takes;
        }
        if taken {
            self.index += 1;
            if row_end || self.index == self.words {
                (self.held, self.index) = (false, 0);
            }
        }
        let takes = beat && !self.held && !(taken && command_end);
        self.held |= takes;
        takes
    }
}

/// The aligner: `AlignerStep` without data.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Aligner {
    /// Beats in each group buffer, and whether it is full.
    pub(super) beats: [u32; 2],
    pub(super) full: [bool; 2],
    pub(super) write: usize,
    pub(super) read: usize,
    pub(super) read_beat: u32,
    /// A register ahead of the buffers, and the one that is full with what is in it.
    input_register: bool,
    pub(super) filling: Option<usize>,
    /// Registers after the fetched beat; which of them, lowest first, hold one, that one included.
    lane_registers: u32,
    pub(super) fetched: u32,
    pub(super) output: bool,
    /// Buffers filled and emptied.
    pub(super) turns: u64,
}

impl Aligner {
    fn new(aligner: &arch::Aligner) -> Aligner {
        let (input_register, lane_registers) = (aligner.input_registers > 0, aligner.lane_registers);
        Aligner { input_register, lane_registers, ..Aligner::default() }
    }

    /// Whether a beat is taken.
    fn ready(&self) -> bool {
        !self.full[self.write]
    }

    /// Takes the edge, with a beat taken that ends its group or not. Gives whether a beat left the output register.
    fn edge(&mut self, taken: Option<bool>) -> bool {
        let left = self.output;
        self.output = self.fetched >> self.lane_registers & 1 == 1;
        self.fetched = (self.fetched & !(1 << self.lane_registers)) << 1;
        if self.full[self.read] {
            self.fetched |= 1;
            self.read_beat += 1;
            if self.read_beat == self.beats[self.read] {
                self.full[self.read] = false;
                self.beats[self.read] = 0;
                self.read_beat = 0;
                self.read ^= 1;
                self.turns += 1;
            }
        }
        if let Some(side) = self.filling.take() {
            self.full[side] = true;
        }
        if let Some(group_end) = taken {
            self.beats[self.write] += 1;
            if group_end {
                if self.input_register {
                    self.filling = Some(self.write);
                } else {
                    self.full[self.write] = true;
                }
                self.write ^= 1;
                self.turns += 1;
            }
        }
        left
    }

    /// The state that goes on alike with the first of the two buffers read.
    pub(super) fn reading_first(self) -> Aligner {
        if self.read == 0 {
            return Aligner { turns: 0, ..self };
        }
        let [(beats, full), (other_beats, other_full)] = [0, 1].map(|i| (self.beats[i], self.full[i]));
        let (beats, full) = ([other_beats, beats], [other_full, full]);
        let filling = self.filling.map(|side| side ^ 1);
        Aligner { beats, full, filling, read: 0, write: self.write ^ 1, turns: 0, ..self }
    }

    fn is_moving(&self) -> bool {
        self.output || self.fetched > 0 || self.filling.is_some() || self.full[self.read]
    }
}

/// The command in the sink.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sink {
    pub(super) job: LoadJob,
    /// Words left to take; words left of the row, and entries left of the group.
    pub(super) words_left: u64,
    pub(super) row_left: u64,
    pub(super) group_left: u32,
    /// Words left to write.
    pub(super) unwritten: u64,
}

/// The load unit.
#[derive(Debug, Clone)]
pub(super) struct Load {
    /// Commands by their places in the program.
    pub(super) queue: Queue<usize, { COMMAND_QUEUE as usize }>,
    pub(super) tokens: u32,
    pub(super) bursts: Bursts,
    pub(super) sink_queue: Queue<usize, SINK_QUEUE>,
    pub(super) sink: Option<Sink>,
    pub(super) words: Adapter,
    pub(super) entries: Adapter,
    pub(super) aligner: Option<Aligner>,
}

/// What happened in a cycle.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct LoadEdge {
    pub(super) beat_taken: bool,
    pub(super) retired: Option<bool>,
    pub(super) waits: bool,
    /// Something moved: the next cycle may be another.
    pub(super) moved: bool,
}

impl Load {
    pub(super) fn new(machine: &Machine, array: &Array) -> Load {
        Load {
            queue: Queue::new(),
            tokens: 0,
            bursts: Bursts::new(array, array.outstanding_reads),
            sink_queue: Queue::new(),
            sink: None,
            words: Adapter::new(array.data_bits, array.weight_word_bits),
            entries: Adapter::new(array.data_bits, 16 * machine.entry_channels),
            aligner: machine.aligner.as_ref().map(Aligner::new),
        }
    }

    pub(super) fn is_idle(&self) -> bool {
        self.queue.is_empty() && !self.bursts.active && self.sink_queue.is_empty() && self.sink.is_none()
    }

    pub(super) fn cycle(&mut self, jobs: &[Job], beat: bool) -> LoadEdge {
        let mut edge = LoadEdge::default();
        let next = self.queue.front().and_then(|index| load_at(jobs, index));
        let room = self.sink_queue.ready() && !self.bursts.active;
        let accept = if self.sink.is_none() { self.sink_queue.front() } else { None };
        if let Some(sink) = &mut self.sink {
            let done = if sink.job.weights {
                sink.weights(&mut self.words, beat, &mut edge)
            } else {
                sink.activations(&mut self.entries, self.aligner.as_mut(), beat, &mut edge)
            };
            if done {
                edge.retired = Some(sink.job.give);
                self.sink = None;
            }
        }
        if let Some(job) = accept.and_then(|index| load_at(jobs, index)) {
            self.sink_queue.pop();
            self.sink = Some(Sink::new(*job));
            edge.moved = true;
        }
        if let Some(job) = next {
            let token = !job.wait || self.tokens > 0;
            edge.waits = !token;
            if room && token {
                self.queue.pop();
                self.tokens -= u32::from(job.wait);
                self.bursts.start(job.at.address, job.at.row_beats, job.at.rows, job.at.pitch);
                self.sink_queue.push(job.index);
                edge.moved = true;
            }
        }
        edge
    }

    pub(super) fn edge(&mut self) {
        self.queue.edge();
        self.sink_queue.edge();
    }
}

impl Sink {
    fn new(job: LoadJob) -> Sink {
        let words = job.row_words * u64::from(job.at.rows);
        Sink { job, words_left: words, row_left: job.row_words, group_left: job.group_entries, unwritten: words }
    }

    /// A cycle of a command that loads weights; whether it is done.
    fn weights(&mut self, words: &mut Adapter, beat: bool, edge: &mut LoadEdge) -> bool {
        let taken = words.word(beat);
        self.words_left -= u64::from(taken);
        let end = taken && self.words_left == 0;
        edge.beat_taken = words.edge(beat, taken, end, end);
        edge.moved = taken || edge.beat_taken;
        end
    }

    /// Likewise for activations.
    fn activations(
        &mut self,
        entries: &mut Adapter,
        aligner: Option<&mut Aligner>,
        beat: bool,
        edge: &mut LoadEdge,
    ) -> bool {
        let beat = beat && self.words_left > 0;
        let entry = self.words_left > 0 && entries.word(beat);
        let fed = entry && aligner.as_ref().is_none_or(|aligner| aligner.ready());
        let row_end = self.row_left == 1;
        let command_end = self.words_left == 1;
        let group_end = row_end || self.group_left == 1;
        let (moving, written) = match aligner {
            Some(aligner) => (aligner.is_moving(), aligner.edge(fed.then_some(group_end))),
            None => (false, fed),
        };
        if fed {
            self.words_left -= 1;
            self.row_left = if row_end { self.job.row_words } else { self.row_left - 1 };
            self.group_left = if group_end { self.job.group_entries } else { self.group_left - 1 };
        }
        edge.beat_taken = entries.edge(beat, fed, row_end, command_end);
        self.unwritten -= u64::from(written);
        edge.moved = moving || fed || edge.beat_taken;
        self.unwritten == 0
    }
}
