//! Memory behind the port of a whole machine. [`IdealMemory`] is the `ideal` model, a clocked state machine that
//! `rtl/src/emit` writes again into the testbench.

use std::collections::VecDeque;

use bitmosaic_mappings::{AxiInputs, AxiOutputs, Beat, Burst, Gate, Lfsr, ReadBeat, Reader};

/// Parameters of the `ideal` memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MemoryTiming {
    /// Edges from the one that takes a read address to the first on which its first beat can be taken, and from the last
    /// write beat to the response; at least 1.
    pub latency: u32,
    /// Budget of both directions together; at least 1.
    pub bytes_per_cycle: u32,
    /// Reads, and writes, whose address was taken and that are not done; 1 to 64.
    pub outstanding: u32,
    /// Gates of the five channels are seeded from this.
    pub seed: u32,
    /// Threshold of the gates, see [`Gate`]; 0: always open.
    pub threshold: u8,
}

impl MemoryTiming {
    /// Reads come as fast as they are asked for, 20 edges later.
    pub const FAST: MemoryTiming =
        MemoryTiming { latency: 20, bytes_per_cycle: 1 << 10, outstanding: 64, seed: 1, threshold: 0 };

    /// Seed of the gate of a channel: read address, read, write address, write, response.
    pub fn channel_seed(&self, channel: u32) -> u32 {
        self.seed.wrapping_mul(8).wrapping_add(channel + 1)
    }
}

/// A read on its way.
#[derive(Debug, Clone, Copy)]
struct Read {
    reader: Reader,
    address: u64,
    beats_left: u32,
    /// Edge from which the first beat can be taken.
    from: u64,
}

/// The `ideal` memory.
#[derive(Debug, Clone)]
pub struct IdealMemory {
    timing: MemoryTiming,
    beat_bytes: u32,
    /// Contents from address 0.
    pub bytes: Vec<u8>,
    edge: u64,
    /// Bytes that may move in this cycle.
    budget: u32,
    reads: VecDeque<Read>,
    /// The beat at the front was offered and not taken.
    read_held: bool,
    writes: VecDeque<Burst>,
    /// Edges from which responses are offered, with whether they are errors.
    responses: VecDeque<(u64, bool)>,
    /// An address of the burst was beyond the memory.
    write_error: bool,
    /// LFSRs of the read address, read, write address, write and response channel.
    lfsrs: [Lfsr; 5],
    offered: AxiInputs,
}

const READ_ADDRESS: usize = 0;
const READ: usize = 1;
const WRITE_ADDRESS: usize = 2;
const WRITE: usize = 3;
const RESPONSE: usize = 4;

impl IdealMemory {
    /// A memory with these contents; accesses beyond them get an error response.
    pub fn new(timing: MemoryTiming, data_bits: u32, bytes: Vec<u8>) -> IdealMemory {
        let seed = |channel: u32| Lfsr::new(timing.channel_seed(channel));
        IdealMemory {
            timing,
            beat_bytes: data_bits / 8,
            bytes,
            edge: 0,
            budget: 0,
            reads: VecDeque::new(),
            read_held: false,
            writes: VecDeque::new(),
            responses: VecDeque::new(),
            write_error: false,
            lfsrs: [0, 1, 2, 3, 4].map(seed),
            offered: AxiInputs::default(),
        }
    }

    /// What the memory offers in this cycle, a function of its state.
    pub fn outputs(&mut self) -> AxiInputs {
        let gate = Gate { seed: 0, threshold: self.timing.threshold };
        let open = self.lfsrs.map(|lfsr| gate.is_open(lfsr));
        let limit = self.timing.outstanding as usize;
        // The budget grows by a cycle's bytes, up to what two beats or two cycles need.
        let cap = 2 * self.timing.bytes_per_cycle.max(self.beat_bytes);
        self.budget = (self.budget + self.timing.bytes_per_cycle).min(cap);
        let front = self.reads.front().copied();
        let due = front.filter(|read| {
            self.edge >= read.from && (self.read_held || (open[READ] && self.budget >= self.beat_bytes))
        });
        let read = due.map(|read| {
            let (data, error) = self.load(read.address);
            ReadBeat { reader: read.reader, data, last: read.beats_left == 1, error }
        });
        let for_reads = if read.is_some() { self.beat_bytes } else { 0 };
        let response = self.responses.front().filter(|(from, _)| self.edge >= *from && open[RESPONSE]);
        self.offered = AxiInputs {
            start: None,
            read_address_ready: self.reads.len() < limit && open[READ_ADDRESS],
            read,
            write_address_ready: self.writes.len() + self.responses.len() < limit && open[WRITE_ADDRESS],
            write_ready: !self.writes.is_empty() && open[WRITE] && self.budget >= for_reads + self.beat_bytes,
            response: response.map(|(_, error)| *error),
        };
        self.offered
    }

    /// Takes the edge, given what the machine offered in this cycle.
    pub fn edge(&mut self, machine: &AxiOutputs) {
        let offered = self.offered;
        self.read_held = offered.read.is_some() && !machine.read_ready;
        if offered.read.is_some() && machine.read_ready {
            self.budget = self.budget.saturating_sub(self.beat_bytes);
            if let Some(read) = self.reads.front_mut() {
                read.address += u64::from(self.beat_bytes);
                read.beats_left -= 1;
                if read.beats_left == 0 {
                    self.reads.pop_front();
                }
            }
        }
        if let Some((reader, burst)) = machine.read_address.filter(|_| offered.read_address_ready) {
            let from = self.edge + u64::from(self.timing.latency);
            self.reads.push_back(Read { reader, address: burst.address, beats_left: burst.beats, from });
        }
        if offered.response.is_some() {
            // The machine is always ready for responses.
            self.responses.pop_front();
        }
        if let Some(beat) = machine.write.filter(|_| offered.write_ready) {
            self.budget = self.budget.saturating_sub(self.beat_bytes);
            if let Some(burst) = self.writes.front_mut() {
                let address = burst.address;
                burst.address += u64::from(self.beat_bytes);
                burst.beats -= 1;
                self.write_error |= !self.save(address, &beat.data, beat.strobes);
                if beat.last {
                    self.writes.pop_front();
                    let from = self.edge + u64::from(self.timing.latency);
                    self.responses.push_back((from, std::mem::take(&mut self.write_error)));
                }
            }
        }
        if let Some(burst) = machine.write_address.filter(|_| offered.write_address_ready) {
            self.writes.push_back(burst);
        }
        self.lfsrs.iter_mut().for_each(Lfsr::step);
        self.edge += 1;
    }

    fn range(&self, address: u64) -> Option<std::ops::Range<usize>> {
        let start = usize::try_from(address).ok()?;
        let end = start.checked_add(self.beat_bytes as usize)?;
        (end <= self.bytes.len()).then_some(start..end)
    }

    /// The beat at `address`, zero with an error beyond the memory.
    fn load(&self, address: u64) -> (Beat, bool) {
        let mut beat = Beat::default();
        let Some(range) = self.range(address) else { return (beat, true) };
        for (i, byte) in self.bytes[range].iter().enumerate() {
            beat[i / 8] |= u64::from(*byte) << (8 * (i % 8));
        }
        (beat, false)
    }

    /// Writes the bytes with strobe; false beyond the memory.
    fn save(&mut self, address: u64, data: &Beat, strobes: u32) -> bool {
        let Some(range) = self.range(address) else { return false };
        for (i, byte) in self.bytes[range].iter_mut().enumerate().filter(|(i, _)| strobes >> i & 1 == 1) {
            *byte = (data[i / 8] >> (8 * (i % 8))) as u8;
        }
        true
    }
}
