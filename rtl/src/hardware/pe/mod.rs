//! Processing elements, one file a kind.

pub mod bit_serial_block;
pub mod bit_serial_float;

use bitmosaic_arch::{Machine, PeWidths};

use crate::netlist::{Module, ModuleBuilder, Net, NetlistError};

/// The PE module of a machine.
pub(crate) fn processing_element(machine: &Machine) -> Result<Module, NetlistError> {
    match &machine.pe.kind {
        PeWidths::Block(block) => bit_serial_block::block_pe(machine, block),
        PeWidths::Float(float) => bit_serial_float::float_pe(machine, float),
    }
}

/// Balanced tree of a binary operation.
fn tree(m: &mut ModuleBuilder, mut level: Vec<Net>, join: fn(&mut ModuleBuilder, Net, Net) -> Net) -> Net {
    while level.len() > 1 {
        level = level.chunks(2).map(|pair| if pair.len() == 2 { join(m, pair[0], pair[1]) } else { pair[0] }).collect();
    }
    level[0]
}
