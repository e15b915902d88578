use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Area of a machine by part, in µm². Wires, clock tree and vector unit are not in it.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
pub struct AreaUm2 {
    /// Processing elements.
    pub processing_elements: f64,
    /// Term generators.
    pub term_generators: f64,
    /// Operand registers, and what decodes FP16 at the row edge.
    pub operands: f64,
    /// Scale units with their decoders and the control of the hold chains.
    pub scale_units: f64,
    /// Output stages.
    pub output_stages: f64,
    /// Aligner, without its memory.
    pub aligner: f64,
    /// Queues between the tiles.
    pub queues: f64,
    /// Control of the tiles and the unit that feeds them.
    pub control: f64,
    /// Command fetch, load and store units, memory and control port.
    pub dma: f64,
    /// Memories.
    pub memories: f64,
    /// Sum.
    pub total: f64,
}

/// Energy of an access to a bank of a memory.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct AccessPj {
    /// Of a read.
    pub read: f64,
    /// Of a write.
    pub write: f64,
}

/// What the events of a machine cost in a technology. All tiles together where all do the same.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct CostTable {
    /// Name of the technology.
    pub technology: String,
    /// A step of the array: processing elements, term generators, operands, queues, control.
    pub step_pj: f64,
    /// A slot of the scale units.
    pub slot_pj: f64,
    /// A beat of the output stages.
    pub output_beat_pj: f64,
    /// A beat through the aligner.
    pub aligned_beat_pj: f64,
    /// A beat at the memory port.
    pub port_beat_pj: f64,
    /// An elementwise operation of the vector unit.
    pub vector_operation_pj: f64,
    /// An access to a bank, by kind of memory in the order of `bitmosaic_arch::MemoryKind::ALL`.
    pub memories: Vec<AccessPj>,
    /// Leakage of all memories in a cycle.
    pub leakage_pj_per_cycle: f64,
    /// A bit to or from DRAM.
    pub dram_pj_per_bit: f64,
}
