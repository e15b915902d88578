use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Cycles without a step, by cause. With the compute cycles they add up to all cycles.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct Stalls {
    /// A weight, activation or metadata beat was missing.
    pub operand: u64,
    /// The scale units still worked on the group before.
    pub scale_unit: u64,
    /// An output beat was not taken.
    pub output: u64,
    /// Filling and draining the pipeline, once a command.
    pub fill_drain: u64,
}

/// Energy in pJ.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
pub struct EnergyPj {
    /// Logic: arithmetic, control, DMA, vector unit.
    pub compute: f64,
    /// On-chip memories: accesses and leakage.
    pub sram: f64,
    /// Off-chip memory.
    pub dram: f64,
    /// Sum.
    pub total: f64,
    /// Leakage of the on-chip memories; part of `sram`.
    pub sram_leakage: f64,
}

/// Cycles in which units of a whole machine wait for one another's data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct MemoryWaits {
    /// A product waits for its operands.
    pub operands: u64,
    /// A product waits for room in the output buffer. With `operands` the memory cycles.
    pub outputs: u64,
    /// A load waits for room in its buffer, while something else goes on.
    pub room: u64,
}

/// One operation.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
pub struct LayerResult {
    /// Name of the layer.
    pub name: String,
    /// Operation, for example `matmul 16x256x1024 bitmod-fp4 g128`.
    pub op: String,
    /// All cycles.
    pub cycles: u64,
    /// Cycles with a step.
    pub compute_cycles: u64,
    /// Cycles in which only memory held the machine up; 0 for a tile, whose operands come as streams.
    pub memory_cycles: u64,
    /// What the memory cycles were spent on; null for a tile.
    pub memory_waits: Option<MemoryWaits>,
    /// The other cycles.
    pub stalls: Stalls,
    /// Operand bytes that entered the machine.
    pub bytes_read: u64,
    /// Output bytes that left it.
    pub bytes_written: u64,
    /// Energy; null for a design that is a tile alone.
    pub energy_pj: Option<EnergyPj>,
}

/// What the phase of a model comes to.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
pub struct InferenceResult {
    /// Tokens that come out, of all sequences: one each of a prefill and of a decode.
    pub tokens: u64,
    /// Tokens / time.
    pub tokens_per_second: f64,
    /// Energy / tokens; null where there is no energy.
    pub joules_per_token: Option<f64>,
    /// Matrix elements of the model, embedding table included.
    pub parameters: u64,
    /// Bytes of keys and values of all sequences at the end.
    pub cache_bytes: u64,
    /// Cycles of operations on the cache: scores, weighted values, quantization.
    pub cache_cycles: u64,
    /// Cycles of the vector unit, quantization of the cache among them.
    pub vector_cycles: u64,
    /// What keeping activations on the chip between operations could gain; no machine does.
    pub fusion: FusionResult,
}

/// Activations that pass from operation to operation through memory, and what keeping them on the chip could gain at most.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
pub struct FusionResult {
    /// Bytes of activations read and written.
    pub activation_bytes: u64,
    /// Those of tensors that fit a half of the activation buffer.
    pub on_chip_bytes: u64,
    /// Most cycles that fusion of these could save.
    pub cycles: u64,
}

/// A simulation.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
pub struct SimulateResult {
    /// All cycles.
    pub cycles: u64,
    /// Cycles / clock.
    pub seconds: f64,
    /// Layers in order.
    pub layers: Vec<LayerResult>,
    /// Technology of the energy; null for a design that is a tile alone.
    pub technology: Option<String>,
    /// Energy; null for a design that is a tile alone.
    pub energy_pj: Option<EnergyPj>,
    /// Useful multiply-accumulate terms / terms the PEs could have done in all cycles.
    pub utilization: f64,
    /// What the phase of a model comes to; null for a product alone.
    pub inference: Option<InferenceResult>,
}
