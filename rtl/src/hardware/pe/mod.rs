//! Processing elements, one file a kind.

pub mod bit_serial_block;
