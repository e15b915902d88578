//! Random whole machines, programs and memories, by seed.

use bitmosaic_arch::{ArraySpec, BuffersSpec, DesignSpec, Machine, MemorySpec};
use bitmosaic_sim::memory::MemoryTiming;
use bitmosaic_workloads::trace::LayerTrace;

use crate::random::{Activation, LayerShape, Random, layer, tile_design};

/// Most PEs of a random machine.
const MOST_PES: usize = 32;

/// A random whole machine of at most 32 PEs in up to 16 tiles, with small buffers and a memory port of any width.
pub fn array_design(random: &mut Random) -> DesignSpec {
    let mut left = MOST_PES;
    let mut side = |random: &mut Random, most: usize| {
        let sides: Vec<usize> = [1, 2, 4].into_iter().filter(|side| *side <= most.min(left)).collect();
        let side = random.pick(&sides);
        left /= side;
        side
    };
    let (rows, columns) = (side(random, 4), side(random, 4));
    let (down, across) = (side(random, 4), side(random, 4));
    let mut spec = tile_design(random, rows, columns);
    let lanes = spec.processing_element.lanes;
    // Small groups leave room for small buffers, of which a product needs several halves.
    spec.weights.max_group = spec.weights.max_group.min(lanes * random.pick(&[2, 4, 8, 16]));
    let chunks_per_entry = random.pick(&[1, 1, 2, 4].map(|chunks| if lanes * chunks > 128 { 1 } else { chunks }));
    spec.weights.max_group = spec.weights.max_group.next_multiple_of(lanes * chunks_per_entry);
    let chunks = (spec.weights.max_group / lanes).next_power_of_two().max(2 * chunks_per_entry);
    spec.array = Some(ArraySpec { down: down as u32, across: across as u32 });
    spec.buffers = Some(BuffersSpec {
        chunks_per_entry,
        weight_chunks: chunks * random.pick(&[1, 2, 4, 8]),
        activation_chunks: chunks * random.pick(&[1, 2, 4, 8]),
        groups: random.pick(&[2, 4, 8, 16]),
        blocks: random.pick(&[2, 4, 8]),
        accumulator_blocks: random.pick(&[1, 2]),
    });
    let widths: Vec<u32> =
        [16, 32, 64, 128, 256].into_iter().filter(|bits| *bits <= 16 * (columns * across) as u32).collect();
    spec.memory = Some(MemorySpec {
        data_bits: if random.below(3) == 0 { widths[widths.len() - 1] } else { random.pick(&widths) },
        burst_beats: random.pick(&[1, 2, 8, 16, 64, 256]),
        outstanding_reads: random.pick(&[1, 2, 4, 16]),
        outstanding_writes: random.pick(&[1, 2, 4]),
    });
    spec
}

/// A random program of one to three layers that fit the machine's buffers: any executed type, any group, ragged sizes.
pub fn array_program(random: &mut Random, machine: &Machine) -> Vec<LayerTrace> {
    let Some(array) = &machine.array else { return Vec::new() };
    let entry = machine.entry_channels as usize;
    (0..1 + random.below(3))
        .map(|_| {
            let executed = random.below(machine.types.len());
            let weight_type = machine.types[executed].weight_type.clone();
            let group = entry * (1 + random.below(machine.max_group as usize / entry));
            // Now and then more input channels than the buffers hold, unless a part would not start at a beat.
            let cut = (2 * group).is_multiple_of(array.beat_bytes() as usize) && random.below(3) == 0;
            let entries = array.weight_entries.min(array.activation_entries) as usize;
            let held = (entries * entry).min(array.groups as usize * group);
            let most = if cut { 4 * held } else { held }.min(160);
            let shape = LayerShape {
                tokens: 1 + random.below(3 * array.rows as usize),
                output_channels: 1 + random.below(3 * array.columns as usize),
                input_channels: 1 + random.below(most),
                group,
            };
            let kind = random.pick(&Activation::ALL);
            layer(random, machine, &weight_type, shape, kind)
        })
        .collect()
}

/// A random memory: fast or slow, near or far, few or many accesses at a time, with or without random gates.
pub fn memory_timing(random: &mut Random) -> MemoryTiming {
    MemoryTiming {
        latency: random.pick(&[1, 2, 7, 30, 100]),
        bytes_per_cycle: random.pick(&[1, 3, 8, 20, 64]),
        outstanding: random.pick(&[1, 2, 5, 16, 64]),
        seed: random.bits(),
        threshold: random.pick(&[0, 0, 60, 150, 220]),
    }
}
