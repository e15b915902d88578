//! Hardware modules of a machine, built from its [`Machine`] alone. `hardware/pe/x` and `sim/src/pe/x` are twins.

mod aligner;
pub mod array;
mod drain_control;
mod float;
mod output_stage;
mod parts;
pub mod pe;
mod recoder;
mod scale_decoder;
mod scale_unit;
mod term_generator;
mod tile;
mod tile_control;

use bitmosaic_arch::Machine;

pub use parts::Part;

use crate::netlist::{Design, NetlistError};
use parts::PartsOf;

/// The units of a machine, each with its own top module.
#[derive(Debug, Clone)]
pub struct Units {
    /// FP16 in, aligned groups out; machines without aligner take FP16 as it is.
    pub aligner: Option<Design>,
    /// Activations and weights in, FP16 out.
    pub tile: Design,
    /// The whole machine, which contains both; none for a design that is a tile alone.
    pub array: Option<Design>,
    /// Parts that modules are; others are of the part that contains them.
    parts: PartsOf,
}

impl Units {
    /// The units there are, in the order of execution.
    pub fn designs(&self) -> impl Iterator<Item = &Design> {
        self.aligner.iter().chain([&self.tile])
    }

    /// Likewise, to be changed.
    pub fn designs_mut(&mut self) -> impl Iterator<Item = &mut Design> {
        self.aligner.iter_mut().chain([&mut self.tile])
    }
}

/// Builds the hardware of a machine.
///
/// # Errors
/// A broken netlist rule: a bug, not a matter of the design file.
pub fn build(machine: &Machine) -> Result<Units, NetlistError> {
    let aligner = machine.aligner.as_ref().map(|a| aligner::build(machine, a)).transpose()?;
    let (tile, mut parts) = tile::build(machine)?;
    parts.extend(aligner.iter().map(|aligner| (aligner.top().name.clone(), Part::Aligner)));
    let array = machine.array.as_ref().map(|a| array::build(machine, a, &tile, aligner.as_ref())).transpose()?;
    let array = array.map(|(design, own)| {
        parts.extend(own);
        design
    });
    Ok(Units { aligner, tile, array, parts })
}

/// Bits of an index below `count`, at least one.
fn index_bits(count: u32) -> u32 {
    (u32::BITS - count.saturating_sub(1).leading_zeros()).max(1)
}
