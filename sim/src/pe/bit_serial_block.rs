//! The shared-exponent PE: digits times aligned activations, an adder tree, an integer accumulator and a hold register
//! that is one link of the chain to the scale unit.

use bitmosaic_numerics::Digit;

/// Registers of one PE.
#[derive(Debug, Clone, Default)]
pub struct BlockPeState {
    /// Lane products (pipeline register 2).
    pub products: Vec<i64>,
    /// Sum of the lane products (pipeline register 1).
    pub tree: i64,
    /// Group accumulator.
    pub accumulator: i64,
    /// Finished group sum on its way to the scale unit.
    pub hold: i64,
}

/// Product of each lane: digit times activation.
pub fn products<'a>(digits: &'a [Digit], activations: &'a [i32]) -> impl Iterator<Item = i64> + 'a {
    digits.iter().zip(activations).map(|(d, a)| i64::from(d.value()) * i64::from(*a))
}

/// Accumulator after a term of bit significance `2·plane`; `clear` starts a group.
pub fn accumulate(accumulator: i64, clear: bool, tree: i64, plane: u32) -> i64 {
    (if clear { 0 } else { accumulator }) + (tree << (2 * plane))
}
