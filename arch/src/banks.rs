//! The memories of an array bank by bank: what the netlist has as RAMs.

use crate::machine::ACCUMULATOR_BITS;
use crate::{Array, Machine};

/// What a memory of a whole machine holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum MemoryKind {
    /// Weight codes: a bank a code bit.
    WeightCodes,
    /// Group records: a bank a weight word.
    Records,
    /// Channel scales: a bank a weight word.
    ChannelScales,
    /// Activations: a bank a row of the array.
    Activations,
    /// Shared exponents: a bank a row of the array.
    Exponents,
    /// Outputs: a bank a column and part of each tile.
    Outputs,
    /// The aligner's two groups of FP16.
    AlignerGroup,
    /// Binary32 accumulators of several passes: a bank a scale unit.
    Accumulators,
}

impl MemoryKind {
    /// All kinds.
    pub const ALL: [MemoryKind; 8] = [
        MemoryKind::WeightCodes,
        MemoryKind::Records,
        MemoryKind::ChannelScales,
        MemoryKind::Activations,
        MemoryKind::Exponents,
        MemoryKind::Outputs,
        MemoryKind::AlignerGroup,
        MemoryKind::Accumulators,
    ];
}

/// Equal banks of one kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Banks {
    /// What they hold.
    pub kind: MemoryKind,
    /// How many.
    pub count: u32,
    /// Entries of a bank, both halves.
    pub entries: u32,
    /// Bits of an entry.
    pub bits: u32,
}

impl Machine {
    /// Every bank of the machine's memories; a tile alone has the aligner's only.
    pub fn banks(&self) -> Vec<Banks> {
        let mut banks = self.array.as_ref().map_or_else(Vec::new, |array| array_banks(self, array));
        if let Some(aligner) = &self.aligner {
            let entries = 2 * aligner.group_beats.next_power_of_two().max(2);
            banks.push(Banks {
                kind: MemoryKind::AlignerGroup,
                count: 1,
                entries,
                bits: aligner.values_per_cycle * 16,
            });
        }
        banks
    }

    /// Banks of a kind: as many are read together.
    pub fn bank_count(&self, kind: MemoryKind) -> u32 {
        self.banks().iter().filter(|banks| banks.kind == kind).map(|banks| banks.count).sum()
    }
}

fn array_banks(machine: &Machine, array: &Array) -> Vec<Banks> {
    use MemoryKind as Kind;
    let both = |entries: u32| 2 * entries;
    let word = array.weight_word_bits;
    let part_rows = machine.tile.rows / array.output_parts;
    let outputs = array.tiles() * machine.tile.columns * array.output_parts;
    let value_bits = machine.entry_channels * machine.pe.activation_bits;
    let bank = |kind, count, entries, bits| Banks { kind, count, entries: both(entries), bits };
    let mut banks = vec![
        bank(Kind::WeightCodes, machine.code_bits, array.weight_entries, word),
        bank(Kind::Activations, array.rows, array.activation_entries, value_bits),
        bank(Kind::Outputs, outputs, array.blocks * part_rows, 16),
    ];
    // The last word of an entry may be shorter.
    for (kind, entries, bits) in
        [(Kind::Records, array.groups, array.record_bits), (Kind::ChannelScales, array.blocks, 16 * array.columns)]
    {
        let words = [(bits / word, word), (1, bits % word)].into_iter().filter(|(count, bits)| count * bits > 0);
        banks.extend(words.map(|(count, bits)| bank(kind, count, entries, bits)));
    }
    if let Some(address_bits) = machine.scale_unit.accumulator_address_bits() {
        let count = array.tiles() * machine.scale_unit.units;
        banks.push(Banks { kind: Kind::Accumulators, count, entries: 1 << address_bits, bits: ACCUMULATOR_BITS });
    }
    banks.extend(array.exponent_entry_bits.map(|bits| bank(Kind::Exponents, array.rows, array.groups, bits)));
    banks
}
