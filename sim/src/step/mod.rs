//! One clocked state machine a unit, a plain function of state and inputs each cycle: the oracle of the simulator.

mod aligner;
pub(crate) mod array;
mod command;
pub(crate) mod fields;
pub(crate) mod scale_unit;
mod tile;
mod tile_ports;
mod tile_probes;

pub use aligner::{AlignerStep, align};
pub use array::ArrayStep;
pub use tile::TileStep;
