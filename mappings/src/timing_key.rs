//! What the time of a product on a whole machine depends on, in one place: machines and products of equal key take equal cycles
//! in the same memory and mapping, and the same things happen in them ([`Events`](crate::Events)). Widths of the datapath, values and names are not in it (`cosim/tests/timing_key.rs`).

use bitmosaic_arch::{Machine, MemoryKind, TermOrder};

use crate::Matmul;

/// Equal keys, equal schedules but for names, equal cycles and events.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct TimingKey {
    /// Tokens, output channels, input channels, group, terms per weight, bits per code.
    product: [u32; 6],
    /// Products of this shape in the program.
    instances: u64,
    /// Rows and columns of a tile; tiles down and across.
    shape: [u32; 4],
    lanes: u32,
    /// Input channels of an entry.
    entry_channels: u32,
    pipeline_registers: u32,
    /// Scale unit: slots, cycles before them, PEs, registers to the output.
    drain: [u32; 4],
    /// Registers of the aligner ahead of its buffer and within its lanes; none where activations are not aligned.
    aligner: Option<[u32; 2]>,
    /// Words of channel scales and of a group's record.
    weight_words: [u32; 2],
    /// Depths: entries of weights and of activations, groups, blocks, passes of accumulators.
    buffers: [u32; 5],
    /// Operands are read once a plane: events alone.
    plane_major: bool,
    /// Banks of each kind of memory: events alone.
    banks: [u32; MemoryKind::ALL.len()],
    /// Memory port: bits, longest burst, reads and writes on their way.
    port: [u32; 4],
}

impl TimingKey {
    /// Of `instances` products like this one in a program of their own; `None` for a design without array.
    pub fn new(machine: &Machine, matmul: &Matmul, instances: u64) -> Option<TimingKey> {
        let array = machine.array.as_ref()?;
        let unit = &machine.scale_unit;
        let executed = machine.types.get(usize::from(matmul.weight_type))?;
        Some(TimingKey {
            product: [
                matmul.tokens,
                matmul.output_channels,
                matmul.input_channels,
                matmul.group.into(),
                matmul.terms.into(),
                executed.weight_type.code_bits,
            ],
            instances,
            shape: [machine.tile.rows, machine.tile.columns, array.down, array.across],
            lanes: machine.pe.lanes,
            entry_channels: machine.entry_channels,
            pipeline_registers: machine.pe.pipeline_registers,
            drain: [unit.slots, unit.dequantize_cycles, unit.pes, unit.output_latency_cycles],
            aligner: machine.aligner.as_ref().map(|aligner| [aligner.input_registers, aligner.lane_registers]),
            weight_words: [array.channel_words, array.record_words],
            buffers: [
                array.weight_entries,
                array.activation_entries,
                array.groups,
                array.blocks,
                unit.accumulator_blocks,
            ],
            plane_major: machine.pe.order == TermOrder::PlaneMajor,
            banks: MemoryKind::ALL.map(|kind| machine.bank_count(kind)),
            port: [array.data_bits, array.burst_beats, array.outstanding_reads, array.outstanding_writes],
        })
    }
}
