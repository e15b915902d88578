//! What a program makes happen in a whole machine, counted without running it: what energy is charged for.

use bitmosaic_arch::{Array, Machine, MemoryKind};

use crate::{COMMAND_BYTES, Command, LoadActivations, LoadWeights, Matmul, Program, Store, TileWalk};

/// Reads and writes of the banks of a kind of memory, each bank by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Accesses {
    /// Reads.
    pub reads: u64,
    /// Writes.
    pub writes: u64,
}

/// Events of a program. What all tiles do at once is counted once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Events {
    /// Steps of the PEs: the compute cycles of the engines.
    pub steps: u64,
    /// Slots of the scale units.
    pub slots: u64,
    /// Output beats of a tile.
    pub output_beats: u64,
    /// Beats through the aligner.
    pub aligned_beats: u64,
    /// Beats read at the memory port, commands included.
    pub read_beats: u64,
    /// Those of them that are activations.
    pub activation_beats: u64,
    /// Beats written at it.
    pub written_beats: u64,
    /// Accesses by [`MemoryKind`], in the order of [`MemoryKind::ALL`].
    pub memories: [Accesses; MemoryKind::ALL.len()],
}

impl Events {
    /// Accesses of a kind of memory.
    pub fn accesses(&self, kind: MemoryKind) -> Accesses {
        self.memories[kind as usize]
    }
}

/// A program's events under construction.
struct Count<'m> {
    machine: &'m Machine,
    array: &'m Array,
    /// Banks by kind.
    banks: [u64; MemoryKind::ALL.len()],
    events: Events,
}

impl Program {
    /// Counts the events of the program; none on a design that is a tile alone.
    pub fn events(&self, machine: &Machine) -> Events {
        let Some(array) = &machine.array else { return Events::default() };
        let banks = MemoryKind::ALL.map(|kind| machine.bank_count(kind).into());
        let mut count = Count { machine, array, banks, events: Events::default() };
        for command in &self.commands {
            count.events.read_beats += (8 * COMMAND_BYTES as u64).div_ceil(array.data_bits.into());
            match command {
                Command::LoadWeights(load) => count.weights(load),
                Command::LoadActivations(load) => count.activations(load),
                Command::Matmul(matmul) => count.product(matmul),
                Command::Store(store) => count.store(store),
                Command::End => {}
            }
        }
        count.events
    }
}

impl Count<'_> {
    /// Every bank of the kind is read this often.
    fn read_all(&mut self, kind: MemoryKind, times: u64) {
        self.events.memories[kind as usize].reads += times * self.banks[kind as usize];
    }

    /// One bank of the kind at a time is written this often.
    fn write_one(&mut self, kind: MemoryKind, times: u64) {
        self.events.memories[kind as usize].writes += times;
    }

    /// Every bank of the kind is written this often.
    fn write_all(&mut self, kind: MemoryKind, times: u64) {
        self.events.memories[kind as usize].writes += times * self.banks[kind as usize];
    }

    fn weights(&mut self, load: &LoadWeights) {
        let blocks = u64::from(load.output_channels.div_ceil(self.machine.tile.columns));
        let groups = u64::from(load.input_channels.div_ceil(load.group.into()));
        let entries = u64::from(load.input_channels.div_ceil(self.machine.entry_channels));
        let code_bits = self.machine.types[usize::from(load.weight_type)].weight_type.code_bits;
        self.events.read_beats += u64::from(load.beats);
        self.write_one(MemoryKind::ChannelScales, blocks * u64::from(self.array.channel_words));
        self.write_one(MemoryKind::Records, blocks * groups * u64::from(self.array.record_words));
        self.write_one(MemoryKind::WeightCodes, blocks * entries * u64::from(code_bits));
    }

    fn activations(&mut self, load: &LoadActivations) {
        let tokens = u64::from(load.tokens);
        let entries = tokens * u64::from(load.input_channels.div_ceil(self.machine.entry_channels));
        let beats = tokens * self.array.activation_row_beats(self.machine, load.input_channels);
        self.events.read_beats += beats;
        self.events.activation_beats += beats;
        self.write_one(MemoryKind::Activations, entries);
        if self.machine.aligner.is_some() {
            self.events.aligned_beats += entries;
            self.read_all(MemoryKind::AlignerGroup, entries);
            self.write_one(MemoryKind::AlignerGroup, entries);
            self.write_one(MemoryKind::Exponents, tokens * u64::from(load.input_channels.div_ceil(load.group.into())));
        }
    }

    fn product(&mut self, matmul: &Matmul) {
        let walk = TileWalk::new(self.machine, matmul);
        let passes = walk.pass_count() as u64;
        // An entry is read at its first chunk.
        let entry_chunks = self.machine.entry_chunks() as usize;
        let reads: u64 =
            walk.group_reads().map(|group| (group.chunks.div_ceil(entry_chunks) * group.times) as u64).sum();
        let groups = passes * walk.groups() as u64;
        self.events.steps += walk.steps();
        self.events.slots += groups * u64::from(self.machine.scale_unit.slots);
        self.read_all(MemoryKind::WeightCodes, passes * reads);
        self.read_all(MemoryKind::Activations, passes * reads);
        self.read_all(MemoryKind::Records, groups);
        self.read_all(MemoryKind::Exponents, groups);
        let accumulators = groups * u64::from(self.machine.scale_unit.ring_entries());
        self.read_all(MemoryKind::Accumulators, accumulators);
        self.write_all(MemoryKind::Accumulators, accumulators);
        if !matmul.part.unfinished {
            let beats = walk.output_beats(self.machine) as u64;
            self.events.output_beats += beats;
            self.read_all(MemoryKind::ChannelScales, passes);
            let outputs = passes * u64::from(self.machine.pes() * self.array.tiles());
            self.write_one(MemoryKind::Outputs, outputs);
        }
    }

    fn store(&mut self, store: &Store) {
        let beats = u64::from(store.tokens) * self.array.output_row_beats(store.output_channels);
        self.events.written_beats += beats;
        // A row is read in all tiles, once a beat.
        self.read_all(MemoryKind::Outputs, beats);
    }
}
