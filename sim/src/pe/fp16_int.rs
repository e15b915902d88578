//! The bit-parallel PE with shared exponents, like FIGNA's: whole weights, or parts of them in two's complement, times aligned
//! activations. The integers are those of `bit-serial-block`, only the digits are larger; the netlist has multipliers instead
//! of shifts.

pub(super) use super::bit_serial_block::{accumulate, product, sum};
