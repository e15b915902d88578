//! Shared by this room's tests: one module alone against host arithmetic. Each check takes a module, so that the mutation
//! test can hand it a changed one.

#![allow(dead_code)] // every test uses its part

pub mod align_lane;
pub mod bench;
pub mod equivalents;
pub mod output_stage;
pub mod paths;
pub mod queues;
pub mod scale_decoder;
pub mod scale_unit;
pub mod system;
pub mod term_generator;

use bitmosaic_arch::{ArraySpec, BuffersSpec, DesignSpec, Machine, MemorySpec};
use bitmosaic_rtl::hardware::Units;
use bitmosaic_rtl::netlist::{Design, Module};

/// Makes a tile's design a machine of that one tile, with memories of this many passes' accumulators.
pub fn with_accumulators(spec: &mut DesignSpec, blocks: u32) {
    if blocks > 1 {
        let chunks = (spec.weights.max_group / spec.processing_element.lanes).next_power_of_two().max(2);
        spec.array = Some(ArraySpec { down: 1, across: 1 });
        spec.buffers = Some(BuffersSpec {
            chunks_per_entry: 1,
            weight_chunks: chunks,
            activation_chunks: chunks,
            groups: 4,
            blocks,
            accumulator_blocks: blocks,
        });
        spec.memory = Some(MemorySpec { data_bits: 16, burst_beats: 8, outstanding_reads: 2, outstanding_writes: 2 });
    }
}

/// A check of a machine's module alone; the error tells the first difference.
pub type Check = fn(&Machine, &Module) -> Result<(), String>;

/// Modules that have one.
pub const CHECKS: [(&str, Check); 5] = [
    ("term_generator", term_generator::check),
    ("align_lane", align_lane::check),
    ("scale_decoder", scale_decoder::check),
    ("scale_unit", scale_unit::check),
    ("output_stage", output_stage::check),
];

/// The check of the module of this name.
pub fn check_of(module: &str) -> Option<Check> {
    CHECKS.iter().find(|(name, _)| *name == module).map(|(_, check)| *check)
}

/// The module of this name, in whichever unit has it.
pub fn module<'a>(units: &'a Units, name: &str) -> &'a Module {
    units.designs().find_map(|design| design.module(name)).expect("a module of this name")
}

/// Every module of both units.
pub fn all_modules(units: &Units) -> Vec<&Module> {
    units.designs().flat_map(Design::modules_in_order).collect()
}
