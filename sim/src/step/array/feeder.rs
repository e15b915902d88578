//! The feeder of the compute unit: walks a product as the tiles do and reads their operands from the buffers.

use bitmosaic_arch::{Array, Machine, TermOrder};
use bitmosaic_mappings::{BeatStream, field, read_bits};

use super::buffers::{Buffers, Word};
use super::fields::{CommandWords, at, half};

/// Beats read together: `[tile column]` or `[tile row]`.
#[derive(Debug, Clone)]
pub(crate) struct Fetched {
    /// Chunk of the entry that they are.
    pub(crate) chunk: u32,
    pub(crate) weights: Vec<Word>,
    pub(crate) activations: Vec<Word>,
    /// Scales, and exponents if the machine has any: with the first chunk of a group.
    pub(crate) group: Option<(Vec<Word>, Vec<Word>)>,
    /// Channel scales: with the first chunk of a pass.
    pub(crate) channels: Option<Vec<Word>>,
}

/// The feeder.
#[derive(Debug, Clone)]
pub(crate) struct Feeder<'m> {
    machine: &'m Machine,
    array: &'m Array,
    pub(super) command: CommandWords,
    /// Chunks are left to read.
    pub(crate) feeding: bool,
    pub(super) k: u32,
    pub(super) group_k: u32,
    /// Planes of the group that follow this one; 0 in weight-major order.
    pub(super) planes_left: u32,
    pub(super) token: u32,
    pub(super) output_channel: u32,
    pub(super) block: usize,
    pub(super) weight: Place,
    pub(super) activation: Place,
    pub(crate) fetched: Option<Fetched>,
}

/// Where an operand is read: its entry and group, those of the group's start, and those of the block's.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Place {
    pub(super) entry: usize,
    pub(super) group: usize,
    group_start: usize,
    block_start: (usize, usize),
}

impl Place {
    fn back_to_block_start(&mut self) {
        (self.entry, self.group) = self.block_start;
        self.group_start = self.entry;
    }

    fn starts_block(&mut self) {
        self.block_start = (self.entry, self.group);
    }
}

impl<'m> Feeder<'m> {
    pub(crate) fn new(machine: &'m Machine, array: &'m Array) -> Feeder<'m> {
        Feeder {
            machine,
            array,
            command: [0; 4],
            feeding: false,
            k: 0,
            group_k: 0,
            planes_left: 0,
            token: 0,
            output_channel: 0,
            block: 0,
            weight: Place::default(),
            activation: Place::default(),
            fetched: None,
        }
    }

    /// Planes after the first of a group.
    fn more_planes(&self) -> u32 {
        match self.machine.pe.order {
            TermOrder::WeightMajor => 0,
            TermOrder::PlaneMajor => at(&self.command, field::TERMS) as u32 - 1,
        }
    }

    pub(crate) fn start(&mut self, command: &CommandWords) {
        self.command = *command;
        self.feeding = true;
        (self.k, self.group_k, self.token, self.output_channel, self.block) = (0, 0, 0, 0, 0);
        self.planes_left = self.more_planes();
        (self.weight, self.activation) = (Place::default(), Place::default());
    }

    /// One cycle: `advance` tells whether the fetched beats are taken at this edge.
    pub(crate) fn cycle(&mut self, buffers: &Buffers, advance: bool) {
        if self.fetched.is_some() && !advance {
            return;
        }
        self.fetched = self.feeding.then(|| self.read(buffers));
        if self.feeding {
            self.step();
        }
    }

    fn read(&self, buffers: &Buffers) -> Fetched {
        let array = self.array;
        let (weight_half, activation_half) = (half(&self.command, 0), half(&self.command, 1));
        let record = &buffers.records[weight_half][self.weight.group];
        let across = 0..array.across;
        let group_start = self.group_k == 0 && self.planes_left == self.more_planes();
        let group = group_start.then(|| {
            let scales = across.clone().map(|j| self.scale_beat(record, j)).collect();
            let exponents = match array.exponent_entry_bits {
                Some(_) => {
                    let entries = &buffers.exponents[activation_half][self.activation.group];
                    (0..array.down).map(|i| self.exponent_beat(entries, i)).collect()
                }
                None => Vec::new(),
            };
            (scales, exponents)
        });
        // A command without outputs needs no channel scales.
        let unfinished = at(&self.command, field::PART) & 2 == 2;
        let channels = (group_start && self.k == 0 && !unfinished).then(|| {
            let words = &buffers.channels[weight_half][self.block];
            across.clone().map(|j| self.channel_beat(words, j)).collect()
        });
        let codes = &buffers.weights[weight_half][self.weight.entry];
        let rows = &buffers.activations[activation_half][self.activation.entry];
        Fetched {
            chunk: self.chunk(),
            weights: across.map(|j| self.weight_beat(codes, record, j)).collect(),
            activations: (0..array.down).map(|i| self.activation_beat(rows, i)).collect(),
            group,
            channels,
        }
    }

    /// Counts on by a chunk, as `TileStep::load` does.
    fn step(&mut self) {
        let (lanes, tile) = (self.machine.pe.lanes, &self.machine.tile);
        let limit = |field| at(&self.command, field) as u32;
        let (k, group_k) = (self.k + lanes, self.group_k + lanes);
        let channels_end = k >= limit(field::INPUT_CHANNELS);
        let plane_end = group_k >= limit(field::GROUP) || channels_end;
        let entry_end = k.is_multiple_of(self.machine.entry_channels) || channels_end;
        let last_plane = self.planes_left == 0;
        let (group_end, pass_end) = (plane_end && last_plane, channels_end && last_plane);
        let rows_end = pass_end && self.token + tile.rows >= limit(field::TOKENS);
        let columns_end = rows_end && self.output_channel + tile.columns >= limit(field::OUTPUT_CHANNELS);
        self.k = match (plane_end, group_end) {
            _ if pass_end => 0,
            (true, false) => self.k - self.group_k,
            _ => k,
        };
        self.group_k = if plane_end { 0 } else { group_k };
        let more_planes = self.more_planes();
        for place in [&mut self.weight, &mut self.activation] {
            place.entry = match plane_end && !last_plane {
                true => place.group_start,
                false => place.entry + usize::from(entry_end),
            };
            if group_end {
                place.group += 1;
                place.group_start = place.entry;
            }
        }
        if plane_end {
            self.planes_left = if last_plane { more_planes } else { self.planes_left - 1 };
        }
        if pass_end {
            self.token = if rows_end { 0 } else { self.token + tile.rows };
            if rows_end {
                self.output_channel += tile.columns;
                self.block += 1;
                self.weight.starts_block();
                self.activation.back_to_block_start();
                self.feeding = !columns_end;
            } else {
                self.weight.back_to_block_start();
            }
        }
    }

    /// The chunk within its entry.
    fn chunk(&self) -> u32 {
        self.k / self.machine.pe.lanes % self.machine.entry_chunks()
    }

    /// Columns of a tile as a beat, out of words of all columns.
    fn weight_beat(&self, codes: &[Word], record: &[Word], tile: u32) -> Word {
        let (machine, lanes, columns) = (self.machine, self.machine.pe.lanes, self.machine.tile.columns);
        let weight_type = at(&self.command, field::WEIGHT_TYPE) as usize % machine.types.len();
        let code_bits = machine.types[weight_type].weight_type.code_bits;
        let chunk = self.chunk();
        let mut beat = BeatStream::new(machine.tile.weight_beat_bits);
        let fields = (tile * columns..(tile + 1) * columns).flat_map(|column| {
            let code = move |lane: u32| {
                let at = (chunk * self.array.columns + column) * lanes + lane;
                (0..code_bits).fold(0, |code, bit| code | read_bits(&codes[bit as usize], at, 1) << bit)
            };
            let selector = self.record_field(record, column, self.scale_bits(), 2);
            (0..lanes).map(move |lane| (code(lane), machine.code_bits)).chain([(selector, 2)])
        });
        beat.push_fields(fields);
        beat.beat(0).to_vec()
    }

    fn activation_beat(&self, rows: &[Word], tile: u32) -> Word {
        let (rows_of_tile, machine) = (self.machine.tile.rows, self.machine);
        let (lanes, bits) = (machine.pe.lanes, machine.pe.activation_bits);
        let first = self.chunk() * lanes;
        let mut beat = BeatStream::new(machine.tile.activation_beat_bits);
        let rows = (tile * rows_of_tile..(tile + 1) * rows_of_tile).map(|row| &rows[row as usize]);
        beat.push_fields(
            rows.flat_map(|row| (0..lanes).map(move |lane| (read_bits(row, (first + lane) * bits, bits), bits))),
        );
        beat.beat(0).to_vec()
    }

    fn scale_bits(&self) -> u32 {
        self.machine.tile.scale_field_bits
    }

    /// `bits` at `offset` of a column's part of a record.
    fn record_field(&self, record: &[Word], column: u32, offset: u32, bits: u32) -> u64 {
        let column_bits = self.scale_bits() + 2;
        (0..bits).fold(0, |value, bit| {
            let at = column * column_bits + offset + bit;
            let (word, low) = (at / self.array.weight_word_bits, at % self.array.weight_word_bits);
            value | read_bits(&record[word as usize], low, 1) << bit
        })
    }

    fn scale_beat(&self, record: &[Word], tile: u32) -> Word {
        let columns = self.machine.tile.columns;
        let bits = self.scale_bits();
        let mut beat = BeatStream::new(self.machine.tile.scale_beat_bits);
        let columns = tile * columns..(tile + 1) * columns;
        beat.push_fields(columns.map(|column| (self.record_field(record, column, 0, bits), bits)));
        beat.beat(0).to_vec()
    }

    fn channel_beat(&self, words: &[Word], tile: u32) -> Word {
        let columns = self.machine.tile.columns;
        let word_bits = self.array.weight_word_bits;
        let mut beat = BeatStream::new(self.machine.tile.channel_beat_bits);
        let bit = |at: u32| (read_bits(&words[(at / word_bits) as usize], at % word_bits, 1), 1);
        let first = tile * columns * 16;
        beat.push_fields((first..first + columns * 16).map(bit));
        beat.beat(0).to_vec()
    }

    fn exponent_beat(&self, entries: &[u64], tile: u32) -> Word {
        let rows = self.machine.tile.rows;
        let bits = self.array.exponent_entry_bits.unwrap_or(0);
        let mut beat = BeatStream::new(bits * rows);
        beat.push_fields((tile * rows..(tile + 1) * rows).map(|row| (entries[row as usize], bits)));
        beat.beat(0).to_vec()
    }
}
