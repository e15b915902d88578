//! A design is one TOML file; [`elaborate`] turns it into one [`Machine`] that holds every derived width, latency and
//! capacity. Simulator, netlist, area and energy read that `Machine`; nobody re-derives from the file.

mod array;
mod banks;
mod check;
mod designs;
mod digits;
mod elaborate;
mod error;
mod fp16_mac;
mod machine;
mod memory_macro;
mod spec;
mod steps;
mod technology;

pub use array::{ADDRESS_BITS, Array, BURST_BOUNDARY_BYTES, COMMAND_QUEUE, FETCH_COMMANDS, HOP_QUEUE, TOKEN_BITS};
pub use banks::{Banks, MemoryKind};
pub use designs::{Preset, load, load_spec, parse, presets};
pub use elaborate::{digest, elaborate};
pub use error::ArchError;
pub use machine::{
    ACCUMULATOR_BITS, Aligner, BlockPe, EXPONENT_BITS, ExecutedType, FloatPe, IntPe, Machine, Pe, PeWidths, ScaleUnit,
    Support, Tile,
};
pub use memory_macro::{MemoryMacro, MemoryTable};
pub use spec::{
    ArraySpec, BuffersSpec, DesignSpec, Digits, MemorySpec, PeKind, ProcessingElementSpec, ScaleUnitSpec, TermOrder,
    TileSpec, VectorUnitSpec, WeightsSpec,
};
pub use technology::{Logic, ProcessingElementCost, Sram, SramWidth, TECHNOLOGIES, Technology};
