//! Processing elements, one file a kind; the twin of `rtl/src/hardware/pe`.

pub mod bit_serial_block;
