//! The port of the `ideal` memory.

use bitmosaic_mappings::{Gate, Lfsr, Reader};

use super::{MOST_OUTSTANDING, MemoryTiming};
use crate::ring::Ring;

/// A read on its way.
#[derive(Debug, Clone, Copy, Default)]
struct Read {
    reader: Reader,
    beats_left: u32,
    /// Edge from which the first beat can be taken.
    from: u64,
}

/// When the memory offers and takes what: the `ideal` memory without addresses and contents.
#[derive(Debug, Clone)]
pub struct MemoryPort {
    timing: MemoryTiming,
    beat_bytes: u32,
    edge: u64,
    /// Bytes that may move in this cycle.
    budget: u32,
    reads: Ring<Read, MOST_OUTSTANDING>,
    /// Reads that are done.
    reads_done: u64,
    /// The beat at the front was offered and not taken.
    read_held: bool,
    /// Write bursts whose last beat has not come.
    writes: usize,
    /// Edges from which responses are offered.
    responses: Ring<u64, MOST_OUTSTANDING>,
    /// LFSRs of the read address, read, write address, write and response channel.
    lfsrs: [Lfsr; 5],
    pub(super) offered: Offers,
}

/// What the memory offers in a cycle, a function of its state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Offers {
    /// A read address is taken.
    pub read_address_ready: bool,
    /// A read beat: whose, whether it is its burst's last.
    pub read: Option<(Reader, bool)>,
    /// A write address is taken.
    pub write_address_ready: bool,
    /// A write beat is taken.
    pub write_ready: bool,
    /// A write response; the machine is always ready for one.
    pub response: bool,
}

/// What the machine offers in a cycle.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Asks {
    /// A read address: whose, beats of the burst.
    pub read_address: Option<(Reader, u32)>,
    /// It takes a read beat.
    pub read_ready: bool,
    /// A write address.
    pub write_address: bool,
    /// A write beat: whether it is its burst's last.
    pub write: Option<bool>,
}

const READ_ADDRESS: usize = 0;
const READ: usize = 1;
const WRITE_ADDRESS: usize = 2;
const WRITE: usize = 3;
const RESPONSE: usize = 4;

impl MemoryPort {
    /// A port before its first cycle.
    pub fn new(timing: MemoryTiming, data_bits: u32) -> MemoryPort {
        MemoryPort {
            timing,
            beat_bytes: data_bits / 8,
            edge: 0,
            budget: 0,
            reads: Ring::new(),
            reads_done: 0,
            read_held: false,
            writes: 0,
            responses: Ring::new(),
            lfsrs: [0, 1, 2, 3, 4].map(|channel| Lfsr::new(timing.channel_seed(channel))),
            offered: Offers::default(),
        }
    }

    /// The budget grows by a cycle's bytes, up to what two beats or two cycles need.
    fn budget_after(&self, cycles: u64) -> u32 {
        let cap = 2 * self.timing.bytes_per_cycle.max(self.beat_bytes);
        let grown = u64::from(self.budget) + cycles.saturating_mul(u64::from(self.timing.bytes_per_cycle));
        grown.min(u64::from(cap)) as u32
    }

    /// The offers of this cycle; called once a cycle.
    pub fn offers(&mut self) -> Offers {
        // Gates that are always open do not look at their LFSRs.
        let open = match self.timing.threshold {
            0 => [true; 5],
            threshold => self.lfsrs.map(|lfsr| Gate { seed: 0, threshold }.is_open(lfsr)),
        };
        let limit = MOST_OUTSTANDING.min(self.timing.outstanding as usize);
        self.budget = self.budget_after(1);
        let due = self.reads.front().filter(|read| {
            self.edge >= read.from && (self.read_held || (open[READ] && self.budget >= self.beat_bytes))
        });
        let read = due.map(|read| (read.reader, read.beats_left == 1));
        let for_reads = if read.is_some() { self.beat_bytes } else { 0 };
        self.offered = Offers {
            read_address_ready: self.reads.len() < limit && open[READ_ADDRESS],
            read,
            write_address_ready: self.writes + self.responses.len() < limit && open[WRITE_ADDRESS],
            write_ready: self.writes > 0 && open[WRITE] && self.budget >= for_reads + self.beat_bytes,
            response: self.responses.front().is_some_and(|from| self.edge >= *from) && open[RESPONSE],
        };
        self.offered
    }

    /// Takes the edge.
    pub fn edge(&mut self, asks: &Asks) {
        let offered = self.offered;
        self.read_held = offered.read.is_some() && !asks.read_ready;
        if offered.read.is_some() && asks.read_ready {
            self.budget = self.budget.saturating_sub(self.beat_bytes);
            if let Some(read) = self.reads.front_mut() {
                read.beats_left -= 1;
                if read.beats_left == 0 {
                    self.reads.pop();
                    self.reads_done += 1;
                }
            }
        }
        if let Some((reader, beats)) = asks.read_address.filter(|_| offered.read_address_ready) {
            let from = self.edge + u64::from(self.timing.latency);
            self.reads.push(Read { reader, beats_left: beats, from });
        }
        if offered.response {
            self.responses.pop();
        }
        if let (Some(last), true) = (asks.write, offered.write_ready) {
            self.budget = self.budget.saturating_sub(self.beat_bytes);
            if last {
                self.writes -= 1;
                self.responses.push(self.edge + u64::from(self.timing.latency));
            }
        }
        self.writes += usize::from(asks.write_address && offered.write_address_ready);
        if self.timing.threshold > 0 {
            self.lfsrs.iter_mut().for_each(Lfsr::step);
        }
        self.edge += 1;
    }

    /// Cycles, from now on, in which nothing moves at the port as long as the machine offers `asks`, as it did in the last
    /// cycle, in which nothing moved.
    pub fn quiet_cycles(&self, asks: &Asks) -> u64 {
        // An offer next comes in the cycle that brings the budget to this many bytes.
        let budget_of = |bytes: u32| {
            let cycles = u64::from(bytes.saturating_sub(self.budget).div_ceil(self.timing.bytes_per_cycle));
            cycles.saturating_sub(1)
        };
        let until = |from: u64, then: u64| if self.edge < from { from - self.edge } else { then };
        let read = match self.reads.front() {
            Some(_) if self.read_held && asks.read_ready => 0,
            Some(read) if !self.read_held => until(read.from, budget_of(self.beat_bytes)),
            _ => u64::MAX,
        };
        let response = self.responses.front().map_or(u64::MAX, |from| until(*from, 0));
        let for_reads = if self.read_held { self.beat_bytes } else { 0 };
        let write = match asks.write {
            Some(_) if self.writes > 0 => budget_of(for_reads + self.beat_bytes),
            _ => u64::MAX,
        };
        let limit = MOST_OUTSTANDING.min(self.timing.outstanding as usize);
        let read_address = asks.read_address.is_some() && self.reads.len() < limit;
        let write_address = asks.write_address && self.writes + self.responses.len() < limit;
        let address = if read_address || write_address { 0 } else { u64::MAX };
        read.min(response).min(write).min(address)
    }

    /// As many cycles in which nothing moves, no more than [`MemoryPort::quiet_cycles`].
    pub fn skip(&mut self, cycles: u64) {
        self.budget = self.budget_after(cycles);
        self.edge += cycles;
        if self.timing.threshold > 0 {
            for _ in 0..cycles {
                self.lfsrs.iter_mut().for_each(Lfsr::step);
            }
        }
    }

    /// Whether it goes on as `then` did, asked for the same: equal but for time and the beats left of the oldest read. Random
    /// gates do not recur.
    pub fn recurs(&self, then: &MemoryPort) -> bool {
        let wait = |port: &MemoryPort, from: u64| from.saturating_sub(port.edge);
        let read = |port: &MemoryPort, i: usize, read: &Read| {
            (read.reader, if i == 0 { 0 } else { read.beats_left }, wait(port, read.from))
        };
        self.timing.threshold == 0
            && (self.budget, self.read_held, self.writes) == (then.budget, then.read_held, then.writes)
            && (self.reads.len(), self.responses.len()) == (then.reads.len(), then.responses.len())
            && (self.reads.iter().zip(then.reads.iter()).enumerate())
                .all(|(i, (own, other))| read(self, i, own) == read(then, i, other))
            && (self.responses.iter().zip(then.responses.iter()))
                .all(|(own, other)| wait(self, *own) == wait(then, *other))
    }

    /// Beats left of the oldest read.
    pub fn read_left(&self) -> Option<u32> {
        self.reads.front().map(|read| read.beats_left)
    }

    /// How often the oldest read can give beats as since `then`, without its last one; `None` where another one is the oldest
    /// and has other beats left.
    pub fn times(&self, then: &MemoryPort) -> Option<u64> {
        let (now, before) = (self.read_left().unwrap_or(0), then.read_left().unwrap_or(0));
        if now == before {
            return Some(u64::MAX);
        }
        (self.reads_done == then.reads_done).then(|| u64::from(now.saturating_sub(2) / (before - now)))
    }

    /// The state after what happened since `then` has happened `times` times more, in this many cycles.
    pub fn repeat(&mut self, then: &MemoryPort, times: u64, cycles: u64) {
        if let (Some(read), Some(before)) = (self.reads.front_mut(), then.reads.front()) {
            read.beats_left -= times as u32 * (before.beats_left - read.beats_left);
        }
        self.edge += cycles;
        self.reads.change(|read| read.from += cycles);
        self.responses.change(|from| *from += cycles);
    }
}
