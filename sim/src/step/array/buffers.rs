//! The buffers' contents, `[half][entry]`.

use bitmosaic_arch::{Array, Machine};

/// A word of any width.
pub(crate) type Word = Vec<u64>;

/// Weight, activation and output buffer. Entries never written are zero here and unknown in the hardware; nothing that counts
/// reads them.
#[derive(Debug, Clone)]
pub(crate) struct Buffers {
    /// `[entry][code bit]`
    pub(crate) weights: [Vec<Vec<Word>>; 2],
    /// `[group][word]`
    pub(crate) records: [Vec<Vec<Word>>; 2],
    /// `[column block][word]`
    pub(crate) channels: [Vec<Vec<Word>>; 2],
    /// `[entry][row]`
    pub(crate) activations: [Vec<Vec<Word>>; 2],
    /// `[group][row]`: exponent, flag, sum.
    pub(crate) exponents: [Vec<Vec<u64>>; 2],
    /// `[pass][row][column]`
    pub(crate) outputs: [Vec<Vec<Vec<u16>>>; 2],
}

impl Buffers {
    pub(crate) fn new(machine: &Machine, array: &Array) -> Buffers {
        let words = |entries: u32, words: u32, bits: u32| {
            let word: Word = vec![0; bits.div_ceil(64) as usize];
            [0, 1].map(|_| vec![vec![word.clone(); words as usize]; entries as usize])
        };
        let (rows, columns) = (array.rows as usize, array.columns as usize);
        let value_bits = machine.entry_channels * machine.pe.activation_bits;
        Buffers {
            weights: words(array.weight_entries, machine.code_bits, array.weight_word_bits),
            records: words(array.groups, array.record_words, array.weight_word_bits),
            channels: words(array.blocks, array.channel_words, array.weight_word_bits),
            activations: words(array.activation_entries, array.rows, value_bits),
            exponents: [0, 1].map(|_| vec![vec![0; rows]; array.groups as usize]),
            outputs: [0, 1].map(|_| vec![vec![vec![0; columns]; rows]; array.blocks as usize]),
        }
    }
}
