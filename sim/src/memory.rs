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

    /// Whether the parameters are in their ranges.
    ///
    /// # Errors
    /// A sentence with the parameter, its value and what would be right.
    pub fn check(&self) -> Result<(), String> {
        let most = 1 << 20;
        let ranges = [
            ("latency", self.latency, most),
            ("bytes per cycle", self.bytes_per_cycle, most),
            ("accesses outstanding", self.outstanding, 64),
        ];
        match ranges.into_iter().find(|(_, value, most)| !(1..=*most).contains(value)) {
            Some((name, value, most)) => Err(format!("{name} of the memory: {value}; 1 to {most}")),
            None => Ok(()),
        }
    }

    /// Seed of the gate of a channel: read address, read, write address, write, response.
    pub fn channel_seed(&self, channel: u32) -> u32 {
        self.seed.wrapping_mul(8).wrapping_add(channel + 1)
    }
}

/// One line for results.
impl std::fmt::Display for MemoryTiming {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let MemoryTiming { latency, bytes_per_cycle, outstanding, threshold, .. } = self;
        write!(
            f,
            "ideal: latency {latency} cycles, {bytes_per_cycle} bytes a cycle, {outstanding} reads and writes each"
        )?;
        match threshold {
            0 => Ok(()),
            _ => write!(f, ", each channel closed at random in {threshold}/256 of the cycles"),
        }
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

/// When the memory offers and takes what: the `ideal` memory without its contents.
#[derive(Debug, Clone)]
pub struct MemoryPort {
    timing: MemoryTiming,
    beat_bytes: u32,
    edge: u64,
    /// Bytes that may move in this cycle.
    budget: u32,
    reads: VecDeque<Read>,
    /// The beat at the front was offered and not taken.
    read_held: bool,
    writes: VecDeque<Burst>,
    /// Edges from which responses are offered.
    responses: VecDeque<u64>,
    /// LFSRs of the read address, read, write address, write and response channel.
    lfsrs: [Lfsr; 5],
    offered: Offers,
}

/// What the memory offers in a cycle, a function of its state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Offers {
    /// A read address is taken.
    pub read_address_ready: bool,
    /// A read beat: whose, its address, whether it is its burst's last.
    pub read: Option<(Reader, u64, bool)>,
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
    /// A read address.
    pub read_address: Option<(Reader, Burst)>,
    /// It takes a read beat.
    pub read_ready: bool,
    /// A write address.
    pub write_address: Option<Burst>,
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
            reads: VecDeque::new(),
            read_held: false,
            writes: VecDeque::new(),
            responses: VecDeque::new(),
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
        let gate = Gate { seed: 0, threshold: self.timing.threshold };
        let open = self.lfsrs.map(|lfsr| gate.is_open(lfsr));
        let limit = self.timing.outstanding as usize;
        self.budget = self.budget_after(1);
        let due = self.reads.front().filter(|read| {
            self.edge >= read.from && (self.read_held || (open[READ] && self.budget >= self.beat_bytes))
        });
        let read = due.map(|read| (read.reader, read.address, read.beats_left == 1));
        let for_reads = if read.is_some() { self.beat_bytes } else { 0 };
        self.offered = Offers {
            read_address_ready: self.reads.len() < limit && open[READ_ADDRESS],
            read,
            write_address_ready: self.writes.len() + self.responses.len() < limit && open[WRITE_ADDRESS],
            write_ready: !self.writes.is_empty() && open[WRITE] && self.budget >= for_reads + self.beat_bytes,
            response: self.responses.front().is_some_and(|from| self.edge >= *from) && open[RESPONSE],
        };
        self.offered
    }

    /// Takes the edge. Gives the address that a write beat went to.
    pub fn edge(&mut self, asks: &Asks) -> Option<u64> {
        let offered = self.offered;
        self.read_held = offered.read.is_some() && !asks.read_ready;
        if offered.read.is_some() && asks.read_ready {
            self.budget = self.budget.saturating_sub(self.beat_bytes);
            if let Some(read) = self.reads.front_mut() {
                read.address += u64::from(self.beat_bytes);
                read.beats_left -= 1;
                if read.beats_left == 0 {
                    self.reads.pop_front();
                }
            }
        }
        if let Some((reader, burst)) = asks.read_address.filter(|_| offered.read_address_ready) {
            let from = self.edge + u64::from(self.timing.latency);
            self.reads.push_back(Read { reader, address: burst.address, beats_left: burst.beats, from });
        }
        if offered.response {
            self.responses.pop_front();
        }
        let mut written = None;
        if let (Some(last), true) = (asks.write, offered.write_ready) {
            self.budget = self.budget.saturating_sub(self.beat_bytes);
            if let Some(burst) = self.writes.front_mut() {
                written = Some(burst.address);
                burst.address += u64::from(self.beat_bytes);
                if last {
                    self.writes.pop_front();
                    self.responses.push_back(self.edge + u64::from(self.timing.latency));
                }
            }
        }
        if let Some(burst) = asks.write_address.filter(|_| offered.write_address_ready) {
            self.writes.push_back(burst);
        }
        self.lfsrs.iter_mut().for_each(Lfsr::step);
        self.edge += 1;
        written
    }

    /// Cycles, from now on, in which nothing moves whatever the machine offers, but for a new address or a write beat of a
    /// burst that is already there.
    pub fn quiet_cycles(&self) -> u64 {
        let until = |from: Option<u64>| from.map_or(u64::MAX, |from| from.saturating_sub(self.edge));
        until(self.reads.front().map(|read| read.from)).min(until(self.responses.front().copied()))
    }

    /// As many cycles with nothing offered on either side, no more than [`MemoryPort::quiet_cycles`].
    pub fn skip(&mut self, cycles: u64) {
        self.budget = self.budget_after(cycles);
        self.edge += cycles;
        // Gates that are always open do not look at their LFSRs.
        if self.timing.threshold > 0 {
            for _ in 0..cycles {
                self.lfsrs.iter_mut().for_each(Lfsr::step);
            }
        }
    }
}

/// The `ideal` memory.
#[derive(Debug, Clone)]
pub struct IdealMemory {
    port: MemoryPort,
    beat_bytes: usize,
    /// Contents from address 0.
    pub bytes: Vec<u8>,
    /// Responses to come: an address of the burst was beyond the memory.
    errors: VecDeque<bool>,
    write_error: bool,
}

impl IdealMemory {
    /// A memory with these contents; accesses beyond them get an error response.
    pub fn new(timing: MemoryTiming, data_bits: u32, bytes: Vec<u8>) -> IdealMemory {
        IdealMemory {
            port: MemoryPort::new(timing, data_bits),
            beat_bytes: data_bits as usize / 8,
            bytes,
            errors: VecDeque::new(),
            write_error: false,
        }
    }

    /// What the memory offers in this cycle.
    pub fn outputs(&mut self) -> AxiInputs {
        let offers = self.port.offers();
        let read = offers.read.map(|(reader, address, last)| {
            let (data, error) = self.load(address);
            ReadBeat { reader, data, last, error }
        });
        let response = if offers.response { self.errors.pop_front() } else { None };
        AxiInputs {
            start: None,
            read_address_ready: offers.read_address_ready,
            read,
            write_address_ready: offers.write_address_ready,
            write_ready: offers.write_ready,
            response,
        }
    }

    /// Takes the edge, given what the machine offered in this cycle.
    pub fn edge(&mut self, machine: &AxiOutputs) {
        let asks = Asks {
            read_address: machine.read_address,
            read_ready: machine.read_ready,
            write_address: machine.write_address,
            write: machine.write.map(|beat| beat.last),
        };
        if let (Some(address), Some(beat)) = (self.port.edge(&asks), &machine.write) {
            self.write_error |= !self.save(address, &beat.data, beat.strobes);
            if beat.last {
                self.errors.push_back(std::mem::take(&mut self.write_error));
            }
        }
    }

    fn range(&self, address: u64) -> Option<std::ops::Range<usize>> {
        let start = usize::try_from(address).ok()?;
        let end = start.checked_add(self.beat_bytes)?;
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
