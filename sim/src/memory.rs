//! Memory behind the port of a whole machine. [`IdealMemory`] is the `ideal` model, a clocked state machine that
//! `rtl/src/emit` writes again into the testbench.

mod port;

use std::collections::VecDeque;

use bitmosaic_mappings::{AxiInputs, AxiOutputs, Beat, ReadBeat};

pub use port::{Asks, MemoryPort, Offers};

/// Most reads, and writes, on their way.
const MOST_OUTSTANDING: usize = 64;

/// Parameters of the `ideal` memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
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
    /// Threshold of the gates, see [`Gate`](bitmosaic_mappings::Gate); 0: always open.
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
            ("accesses outstanding", self.outstanding, MOST_OUTSTANDING as u32),
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

/// The `ideal` memory.
#[derive(Debug, Clone)]
pub struct IdealMemory {
    port: MemoryPort,
    beat_bytes: usize,
    /// Contents from address 0.
    pub bytes: Vec<u8>,
    /// Addresses of the next beats of the reads and writes on their way.
    reads: VecDeque<u64>,
    writes: VecDeque<u64>,
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
            reads: VecDeque::new(),
            writes: VecDeque::new(),
            errors: VecDeque::new(),
            write_error: false,
        }
    }

    /// What the memory offers in this cycle.
    pub fn outputs(&mut self) -> AxiInputs {
        let offers = self.port.offers();
        let read = offers.read.map(|(reader, last)| {
            let (data, error) = self.load(self.reads.front().copied().unwrap_or(u64::MAX));
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
            read_address: machine.read_address.map(|(reader, burst)| (reader, burst.beats)),
            read_ready: machine.read_ready,
            write_address: machine.write_address.is_some(),
            write: machine.write.map(|beat| beat.last),
        };
        let offers = self.port.offered;
        self.port.edge(&asks);
        if let Some((_, last)) = offers.read.filter(|_| asks.read_ready) {
            advance(&mut self.reads, self.beat_bytes, last);
        }
        if let Some((_, burst)) = machine.read_address.filter(|_| offers.read_address_ready) {
            self.reads.push_back(burst.address);
        }
        if let (Some(beat), Some(address)) =
            (machine.write.filter(|_| offers.write_ready), self.writes.front().copied())
        {
            self.write_error |= !self.save(address, &beat.data, beat.strobes);
            advance(&mut self.writes, self.beat_bytes, beat.last);
            if beat.last {
                self.errors.push_back(std::mem::take(&mut self.write_error));
            }
        }
        if let Some(burst) = machine.write_address.filter(|_| offers.write_address_ready) {
            self.writes.push_back(burst.address);
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

/// The oldest burst goes on to its next beat, or is over.
fn advance(addresses: &mut VecDeque<u64>, beat_bytes: usize, last: bool) {
    if last {
        addresses.pop_front();
    } else if let Some(address) = addresses.front_mut() {
        *address += beat_bytes as u64;
    }
}
