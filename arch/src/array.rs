//! The array, its buffers and its memory port: what a design with `[array]` has around its tile.

use crate::check::Check;
use crate::machine::Machine;
use crate::{ArchError, ArraySpec, BuffersSpec, DesignSpec, MemorySpec};

/// Bits of a byte address on the memory port.
pub const ADDRESS_BITS: u32 = 48;
/// Entries of the queues between tiles.
pub const HOP_QUEUE: u32 = 2;
/// Commands that each of the queues load, compute and store holds.
pub const COMMAND_QUEUE: u32 = 4;
/// Bits of a counter of tokens between queues.
pub const TOKEN_BITS: u32 = 8;
/// Commands that one fetch asks for; twice as many may be fetched ahead of the queues.
pub const FETCH_COMMANDS: u32 = 4;
/// Most PEs of an array, 64 times the paper's.
const MOST_PES: u32 = 1 << 16;
/// Most MiB of a buffer, both halves; the paper has half a MiB each.
const MOST_BUFFER_MEBIBYTES: u32 = 16;
/// No AXI4 burst crosses a multiple of this many bytes.
pub const BURST_BOUNDARY_BYTES: u32 = 4096;

/// Tiles, buffers and memory port of a whole machine. Every buffer has two halves; depths are those of one half.
#[derive(Debug, Clone, PartialEq)]
pub struct Array {
    /// Tiles down (tokens).
    pub down: u32,
    /// Tiles across (output channels).
    pub across: u32,
    /// Rows of PEs of the array.
    pub rows: u32,
    /// Columns of PEs of the array.
    pub columns: u32,
    /// Bits of a weight word: one code bit of an entry, chunk by chunk all columns and lanes.
    pub weight_word_bits: u32,
    /// Weight words of a column block's channel scales.
    pub channel_words: u32,
    /// Weight words of a group's record.
    pub record_words: u32,
    /// Bits of a group's record: per column scale code, zero point, 2-bit selector.
    pub record_bits: u32,
    /// Bits of a row's exponent entry; none without aligner.
    pub exponent_entry_bits: Option<u32>,
    /// Entries of weights, a word per code bit each.
    pub weight_entries: u32,
    /// Entries of activations a row.
    pub activation_entries: u32,
    /// Group records, and exponent entries a row.
    pub groups: u32,
    /// Passes whose outputs, and column blocks whose channel scales, are held.
    pub blocks: u32,
    /// Entries of the queues between tiles that hold scales, exponents and channel scales. A beat stays from its group's first
    /// chunk to its capture; with groups of one chunk two may be in the weight queue, one in the operand register, the rest
    /// in the PE pipeline. With room for all of them metadata never keeps an operand waiting.
    pub metadata_queue: u32,
    /// Banks of a tile column's outputs: one for each scale unit that writes to it at a time.
    pub output_parts: u32,
    /// Data bits of the memory port.
    pub data_bits: u32,
    /// Beats of the longest burst.
    pub burst_beats: u32,
    /// Load bursts on their way at a time.
    pub outstanding_reads: u32,
    /// Store bursts on their way at a time.
    pub outstanding_writes: u32,
}

impl Array {
    /// Tiles of the array.
    pub fn tiles(&self) -> u32 {
        self.down * self.across
    }

    /// Bytes of a beat of the memory port.
    pub fn beat_bytes(&self) -> u32 {
        self.data_bits / 8
    }

    /// Weight words of a column block: channel scales, records, entries of `code_bits` words.
    pub fn block_words(&self, groups: usize, entries: usize, code_bits: u32) -> u64 {
        u64::from(self.channel_words)
            + groups as u64 * u64::from(self.record_words)
            + entries as u64 * u64::from(code_bits)
    }

    /// Beats of a row of activations in memory: whole entries, rounded up.
    pub fn activation_row_beats(&self, machine: &Machine, input_channels: u32) -> u64 {
        let entry = machine.entry_channels;
        let bits = u64::from(input_channels.div_ceil(entry)) * u64::from(16 * entry);
        bits.div_ceil(self.data_bits.into())
    }

    /// Beats of a row of outputs in memory.
    pub fn output_row_beats(&self, output_channels: u32) -> u64 {
        (u64::from(output_channels) * 16).div_ceil(self.data_bits.into())
    }

    /// Bytes of both halves of the weight buffer, records and channel scales included.
    pub fn weight_buffer_bytes(&self, machine: &Machine) -> u64 {
        let codes = u64::from(self.weight_entries) * u64::from(machine.code_bits * self.weight_word_bits);
        let records = u64::from(self.groups) * u64::from(self.record_bits);
        let channels = u64::from(self.blocks) * u64::from(self.columns * 16);
        (codes + records + channels) / 4
    }

    /// Bytes of both halves of the activation buffer, exponents included.
    pub fn activation_buffer_bytes(&self, machine: &Machine) -> u64 {
        let values =
            u64::from(self.activation_entries) * u64::from(machine.entry_channels * machine.pe.activation_bits);
        let exponents = u64::from(self.groups) * u64::from(self.exponent_entry_bits.unwrap_or(0));
        u64::from(self.rows) * (values + exponents) / 4
    }

    /// Activations that a half of the activation buffer holds.
    pub fn activation_values(&self, machine: &Machine) -> u64 {
        u64::from(self.rows) * u64::from(self.activation_entries) * u64::from(machine.entry_channels)
    }

    /// Bytes of both halves of the output buffer.
    pub fn output_buffer_bytes(&self) -> u64 {
        u64::from(self.blocks) * u64::from(self.rows * self.columns) * 4
    }
}

/// Input channels of an entry of the operand buffers, which divide the largest group: some chunks, one for a tile alone.
pub(crate) fn entry_channels(spec: &DesignSpec, check: &Check) -> Result<u32, ArchError> {
    let chunks = spec.buffers.as_ref().map_or(1, |buffers| buffers.chunks_per_entry);
    let (field, max_group) = ("buffers.chunks_per_entry", spec.weights.max_group);
    check.that(field, chunks, chunks.is_power_of_two() && chunks <= 8, "must be a power of two from 1 to 8")?;
    let channels = spec.processing_element.lanes * chunks;
    let expected = format!("an entry of {channels} input channels must divide `weights.max_group`, {max_group}");
    check.that(field, chunks, max_group.is_multiple_of(channels), &expected)?;
    Ok(channels)
}

/// Derives the array of a design around its elaborated tile.
///
/// # Errors
/// `Field` with the field's path, the value found and what would be right.
pub(crate) fn elaborate_array(
    spec: (&ArraySpec, &BuffersSpec, &MemorySpec),
    machine: &Machine,
    file: &str,
) -> Result<Array, ArchError> {
    let (array, buffers, memory) = spec;
    let check = Check { file };
    let power = |field: &str, found: u32, low: u32, high: u32| {
        let ok = found.is_power_of_two() && (low..=high).contains(&found);
        check.that(field, found, ok, &format!("must be a power of two from {low} to {high}"))
    };
    let (tile, lanes, entry_chunks) = (&machine.tile, machine.pe.lanes, machine.entry_chunks());
    power("array.down", array.down, 1, 16)?;
    power("array.across", array.across, 1, 16)?;
    power("tile.rows", tile.rows, 1, 64)?;
    power("tile.columns", tile.columns, 1, 64)?;
    let (rows, columns) = (tile.rows * array.down, tile.columns * array.across);
    let fewest = (machine.max_group / lanes).next_power_of_two().max(2 * entry_chunks);
    power("buffers.weight_chunks", buffers.weight_chunks, fewest, 1 << 16)?;
    power("buffers.activation_chunks", buffers.activation_chunks, fewest, 1 << 16)?;
    power("buffers.groups", buffers.groups, 2, 1 << 16)?;
    power("buffers.blocks", buffers.blocks, 2, 1 << 12)?;
    power("buffers.accumulator_blocks", buffers.accumulator_blocks, 1, buffers.blocks)?;
    power("memory.data_bits", memory.data_bits, 16, 256)?;
    let row_bits = 16 * columns;
    let field = "memory.data_bits";
    let expected = format!("an output row of the array has {row_bits} bits: the memory port must not be wider");
    check.that(field, memory.data_bits, memory.data_bits <= row_bits, &expected)?;
    power("memory.burst_beats", memory.burst_beats, 1, 256)?;
    power("memory.outstanding_reads", memory.outstanding_reads, 1, 64)?;
    power("memory.outstanding_writes", memory.outstanding_writes, 1, 64)?;
    let pes = rows * columns;
    check.that("array", pes, pes <= MOST_PES, &format!("PEs in the array: at most {MOST_PES}"))?;
    let weight_word_bits = columns * machine.entry_channels;
    let record_bits = tile.scale_beat_bits * array.across + 2 * columns;
    let array = Array {
        down: array.down,
        across: array.across,
        rows,
        columns,
        weight_word_bits,
        channel_words: (16 * columns).div_ceil(weight_word_bits),
        record_words: record_bits.div_ceil(weight_word_bits),
        record_bits,
        exponent_entry_bits: tile.exponent_beat_bits.map(|_| tile.exponent_field_bits),
        weight_entries: buffers.weight_chunks / entry_chunks,
        activation_entries: buffers.activation_chunks / entry_chunks,
        groups: buffers.groups,
        blocks: buffers.blocks,
        metadata_queue: HOP_QUEUE + 1 + machine.pe.pipeline_registers,
        output_parts: (tile.rows / machine.scale_unit.pes).max(1),
        data_bits: memory.data_bits,
        burst_beats: memory.burst_beats,
        outstanding_reads: memory.outstanding_reads,
        outstanding_writes: memory.outstanding_writes,
    };
    for (field, bytes) in [
        ("buffers.weight_chunks", array.weight_buffer_bytes(machine)),
        ("buffers.activation_chunks", array.activation_buffer_bytes(machine)),
        ("buffers.blocks", array.output_buffer_bytes()),
    ] {
        let mebibytes = bytes.div_ceil(1 << 20) as u32;
        let expected =
            format!("MiB of the buffer it belongs to: at most {MOST_BUFFER_MEBIBYTES}, lower it or `buffers.groups`");
        check.that(field, mebibytes, mebibytes <= MOST_BUFFER_MEBIBYTES, &expected)?;
    }
    Ok(array)
}
