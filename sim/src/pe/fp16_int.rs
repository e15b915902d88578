//! The bit-parallel PE with shared exponents, like FIGNA's, ANT's and OliVe's: whole weights, or parts of them, times aligned
//! activations. The integers are those of `bit-serial-block`, only the digits are larger; the netlist has multipliers instead
//! of shifts, or, of digits with a shift, before them.

pub(super) use super::bit_serial_block::{accumulate, product, sum};
