//! A program's commands as the timing engine needs them.

use std::collections::BTreeMap;

use bitmosaic_arch::{Array, BURST_BOUNDARY_BYTES, Machine};
use bitmosaic_mappings::{Command, Latency, LoadActivations, LoadWeights, Matmul, Store, TileWalk};

/// A command.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Job {
    Load(LoadJob),
    Compute(ComputeJob),
    Store(StoreJob),
    End,
}

/// Rows of beats in memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Rows {
    pub(super) address: u64,
    pub(super) row_beats: u32,
    pub(super) rows: u32,
    pub(super) pitch: u32,
}

/// Rows of beats from memory, and what becomes of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct LoadJob {
    /// Place in the program.
    pub(super) index: usize,
    pub(super) at: Rows,
    /// Words of a row: weight words, or entries of activations.
    pub(super) row_words: u64,
    /// Entries of a whole group; 0 for weights.
    pub(super) group_entries: u32,
    pub(super) weights: bool,
    pub(super) wait: bool,
    pub(super) give: bool,
}

/// A product on all tiles. Edges of the first tile are counted from the one that starts the command; no stream ever holds it
/// back, only the drain of a command that it continues.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct ComputeJob {
    /// Place in the program.
    pub(super) index: usize,
    /// First and last capture of the command.
    pub(super) captures: (u64, u64),
    /// From the last capture to the retirement; of a command without outputs none.
    pub(super) tail: u64,
    /// Later by this much at the last tile.
    pub(super) skew: u64,
    /// Cycles of the first tile's status bits.
    pub(super) status: [u64; 4],
    pub(super) wait_load: bool,
    pub(super) wait_store: bool,
    pub(super) give_load: bool,
    pub(super) give_store: bool,
}

/// Rows of outputs to memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct StoreJob {
    /// Place in the program.
    pub(super) index: usize,
    pub(super) at: Rows,
    /// Strobes of a row's last beat; all bytes of the others are written.
    pub(super) last_strobes: u32,
    pub(super) wait: bool,
    pub(super) give: bool,
}

impl Job {
    pub(super) fn new(machine: &Machine, array: &Array, command: &Command, index: usize) -> Job {
        match command {
            Command::Matmul(matmul) => Job::Compute(compute(machine, array, matmul, index)),
            Command::LoadWeights(load) => Job::Load(weights(machine, array, load, index)),
            Command::LoadActivations(load) => Job::Load(activations(machine, array, load, index)),
            Command::Store(command) => Job::Store(store(array, command, index)),
            Command::End => Job::End,
        }
    }

    /// What the time of the command depends on: all but its place in the program, and of its address no more than where
    /// bursts end at a boundary.
    fn kind(self, array: &Array) -> Job {
        match self {
            Job::Load(job) => Job::Load(LoadJob { index: 0, at: job.at.kind(array), ..job }),
            Job::Compute(job) => Job::Compute(ComputeJob { index: 0, ..job }),
            Job::Store(job) => Job::Store(StoreJob { index: 0, at: job.at.kind(array), ..job }),
            Job::End => Job::End,
        }
    }
}

/// The load at a place of the program.
pub(super) fn load_at(jobs: &[Job], index: usize) -> Option<&LoadJob> {
    if let Some(Job::Load(job)) = jobs.get(index) { Some(job) } else { None }
}

/// The product at a place of the program.
pub(super) fn compute_at(jobs: &[Job], index: usize) -> Option<&ComputeJob> {
    if let Some(Job::Compute(job)) = jobs.get(index) { Some(job) } else { None }
}

/// The store at a place of the program.
pub(super) fn store_at(jobs: &[Job], index: usize) -> Option<&StoreJob> {
    if let Some(Job::Store(job)) = jobs.get(index) { Some(job) } else { None }
}

/// Numbers of the commands' kinds: commands of the same number take the same time.
pub(super) fn kinds(array: &Array, jobs: &[Job]) -> Vec<usize> {
    let mut numbers = BTreeMap::new();
    jobs.iter()
        .map(|job| {
            let next = numbers.len();
            *numbers.entry(job.kind(array)).or_insert(next)
        })
        .collect()
}

impl Rows {
    fn kind(self, array: &Array) -> Rows {
        let boundary = u64::from(BURST_BOUNDARY_BYTES);
        let beat_bytes = u64::from(array.beat_bytes());
        let burst_bytes = u64::from(array.burst_beats) * beat_bytes;
        let cut = (0..u64::from(self.rows)).any(|row| {
            let address = self.address + row * u64::from(self.pitch);
            let aligned = boundary.is_multiple_of(burst_bytes) && address.is_multiple_of(burst_bytes);
            !aligned && address % boundary + u64::from(self.row_beats) * beat_bytes > boundary
        });
        // Places from 1 on for bursts that a boundary may cut, 0 for those that none does.
        Rows { address: if cut { 1 + self.address % boundary } else { 0 }, ..self }
    }
}

fn weights(machine: &Machine, array: &Array, load: &LoadWeights, index: usize) -> LoadJob {
    let k = load.input_channels;
    let code_bits = machine.types[usize::from(load.weight_type) % machine.types.len()].weight_type.code_bits;
    let (groups, entries) = (k.div_ceil(u32::from(load.group)) as usize, k.div_ceil(machine.entry_channels) as usize);
    let blocks = u64::from(load.output_channels.div_ceil(machine.tile.columns));
    LoadJob {
        index,
        at: Rows { address: load.address, row_beats: load.beats, rows: 1, pitch: 0 },
        row_words: blocks * array.block_words(groups, entries, code_bits),
        group_entries: 0,
        weights: true,
        wait: load.order.wait_down,
        give: load.order.give_down,
    }
}

fn activations(machine: &Machine, array: &Array, load: &LoadActivations, index: usize) -> LoadJob {
    let entries = load.input_channels.div_ceil(machine.entry_channels);
    let row_beats = array.activation_row_beats(machine, load.input_channels) as u32;
    LoadJob {
        index,
        at: Rows { address: load.address, row_beats, rows: load.tokens, pitch: load.pitch },
        row_words: u64::from(entries),
        group_entries: u32::from(load.group) / machine.entry_channels,
        weights: false,
        wait: load.order.wait_down,
        give: load.order.give_down,
    }
}

/// The tile sees the command a cycle after the start and its first operands two cycles later, one more than a tile alone; the
/// feeder sends a chunk a cycle; tile (i, j) is `i + j` cycles behind.
fn compute(machine: &Machine, array: &Array, matmul: &Matmul, index: usize) -> ComputeJob {
    let walk = TileWalk::new(machine, matmul);
    let latency = Latency::new(machine, matmul);
    let slots = u64::from(machine.scale_unit.slots);
    let steps: Vec<u64> = walk.group_chunks().map(|chunks| chunks as u64 * u64::from(matmul.terms)).collect();
    let passes = walk.pass_count() as u64;
    let pass_stalls: u64 = steps.iter().map(|steps| slots.saturating_sub(*steps)).sum();
    let first_stall = steps.first().map_or(0, |steps| slots.saturating_sub(*steps));
    ComputeJob {
        index,
        captures: (2 + latency.first_capture, 2 + latency.last_capture),
        tail: if matmul.part.unfinished { 0 } else { latency.last_output - latency.last_capture },
        skew: u64::from(array.down + array.across - 2),
        status: [passes * steps.iter().sum::<u64>(), 1, passes * pass_stalls - first_stall, 0],
        wait_load: matmul.order.wait_up,
        wait_store: matmul.order.wait_down,
        give_load: matmul.order.give_up,
        give_store: matmul.order.give_down,
    }
}

fn store(array: &Array, store: &Store, index: usize) -> StoreJob {
    let values = array.data_bits / 16;
    let row_beats = array.output_row_beats(store.output_channels) as u32;
    let last_values = store.output_channels - (row_beats - 1) * values;
    StoreJob {
        index,
        at: Rows { address: store.address, row_beats, rows: store.tokens, pitch: store.pitch },
        last_strobes: u32::MAX >> (32 - 2 * last_values),
        wait: store.order.wait_up,
        give: store.order.give_up,
    }
}
