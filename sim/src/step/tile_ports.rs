//! The tile's ports and status bits by number.

use bitmosaic_mappings::ports;

// Positions in `ports::tile_inputs` and bits of `ports::TILE_STATUS`.
pub(super) const COMMAND: usize = 0;
pub(super) const WEIGHT: usize = 1;
pub(super) const ACTIVATION: usize = 2;
pub(super) const SCALE: usize = 3;
pub(super) const CHANNEL: usize = 4;
pub(super) const EXPONENT: usize = 5;
pub(super) const COMPUTE: u32 = 1;
pub(super) const STALL_OPERAND: u32 = 2;
pub(super) const STALL_SCALE_UNIT: u32 = 4;
pub(super) const STALL_OUTPUT: u32 = 8;
const _: () = assert!(ports::TILE_STATUS.len() == 4);
