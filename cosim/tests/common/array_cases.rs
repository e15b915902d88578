#![allow(dead_code)] // Not every test has every case.
//! Cases of whole machines for several tests.

use bitmosaic_arch::{DesignSpec, Machine, elaborate, load_spec};
use bitmosaic_cosim::array::ArrayCase;
use bitmosaic_cosim::random::{Activation, LayerShape, Random, layer};
use bitmosaic_sim::memory::MemoryTiming;

/// Design `mosaic-small` with 2x2 tiles of 2x2 PEs, small buffers and a memory port of 32 bits.
pub fn tiny_design(name: &str) -> DesignSpec {
    let (mut spec, _) = load_spec(name).unwrap();
    (spec.tile.rows, spec.tile.columns) = (2, 2);
    if let Some(scale_unit) = &mut spec.scale_unit {
        scale_unit.pes_per_scale_unit = 4;
    }
    spec.weights.max_group = 32;
    if let Some(buffers) = &mut spec.buffers {
        (buffers.weight_chunks, buffers.activation_chunks, buffers.groups, buffers.blocks) = (32, 32, 8, 4);
    }
    if let Some(memory) = &mut spec.memory {
        (memory.data_bits, memory.burst_beats, memory.outstanding_reads, memory.outstanding_writes) = (32, 8, 2, 2);
    }
    spec
}

/// A layer of every type, more tokens and output channels than the array has, rows that are no whole beats.
pub fn hard_case(machine: &Machine, timing: MemoryTiming) -> ArrayCase {
    let array = machine.array.as_ref().unwrap();
    let mut random = Random::new(1);
    let layers = machine.types.iter().enumerate().map(|(t, executed)| {
        let group = (16 << (t % 3)).min(machine.max_group as usize);
        let shape = LayerShape {
            tokens: array.rows as usize + 1 + 2 * t,
            output_channels: array.columns as usize * 2 + 1 + t,
            input_channels: 2 * group + 6 + t,
            group,
        };
        layer(&mut random, machine, &executed.weight_type, shape, Activation::ALL[t % 2])
    });
    ArrayCase::new(machine.clone(), layers.collect(), timing, 3).unwrap()
}

/// The hard case on a tiny machine.
pub fn tiny_case(timing: MemoryTiming) -> ArrayCase {
    hard_case(&elaborate(&tiny_design("mosaic-small"), "test").unwrap(), timing)
}

/// Memories that make units wait for one another.
pub const SLOW: MemoryTiming = MemoryTiming { latency: 9, bytes_per_cycle: 5, outstanding: 2, seed: 7, threshold: 110 };

/// Programs that end with an error, and its code: 1 read response, 2 write response, 3 unknown opcode.
#[allow(dead_code)] // not every test that has this module needs it
pub fn failing_cases() -> Vec<(ArrayCase, u32)> {
    let mut opcode = tiny_case(MemoryTiming::FAST);
    opcode.program.memory[5 * bitmosaic_mappings::COMMAND_BYTES] = 9;
    let mut read = tiny_case(SLOW);
    read.program.memory.truncate(read.program.outputs[0].address / 2 / 4 * 4);
    let mut write = tiny_case(MemoryTiming::FAST);
    let last = write.program.outputs.last().unwrap().address;
    write.program.memory.truncate(last + 4);
    vec![(read, 1), (write, 2), (opcode, 3)]
}
