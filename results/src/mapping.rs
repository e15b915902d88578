use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A way to cut a product into commands, and what it loads.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct MappingPoint {
    /// What stays: `output-stationary`, `weight-stationary`, `input-stationary`.
    pub dataflow: String,
    /// Row blocks (tokens) of the array a command.
    pub row_blocks: u64,
    /// Column blocks (output channels) of the array a command.
    pub column_blocks: u64,
    /// Groups of the reduction a command.
    pub groups: u64,
    /// The operand that changes last from command to command: `weights` or `activations`.
    pub changes_last: String,
    /// `matmul` commands.
    pub commands: u64,
    /// Bytes of weights loaded.
    pub weight_bytes: u64,
    /// Bytes of activations loaded.
    pub activation_bytes: u64,
}

/// A step that the chosen mapping cannot take.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct MappingLimit {
    /// The step.
    pub step: String,
    /// Field of the design that is too small for it.
    pub field: String,
}

/// The product on another arrangement of the same tiles and bytes of buffers.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct MappingShape {
    /// Tiles down.
    pub down: u32,
    /// Tiles across.
    pub across: u32,
    /// Rows of PEs (tokens).
    pub rows: u32,
    /// Columns of PEs (output channels).
    pub columns: u32,
    /// As [`MappingResult::compute_cycles`].
    pub compute_cycles: u64,
    /// As [`MappingResult::load_cycles`].
    pub load_cycles: u64,
    /// As [`MappingResult::memory_cycles`].
    pub memory_cycles: u64,
    /// As [`MappingResult::cycles`].
    pub cycles: u64,
}

/// Why a product runs as it does on a machine.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
pub struct MappingResult {
    /// Row blocks, column blocks and groups of the whole product.
    pub blocks: [u64; 3],
    /// Tilings that fit the machine and were compared.
    pub compared: u64,
    /// The chosen one.
    pub chosen: MappingPoint,
    /// The best of each dataflow that fits.
    pub by_dataflow: Vec<MappingPoint>,
    /// What would have to be larger for larger commands.
    pub limits: Vec<MappingLimit>,
    /// Bytes of each operand, loaded once: weights, activations.
    pub tensor_bytes: [u64; 2],
    /// Bytes of the outputs.
    pub output_bytes: u64,
    /// Multiply-accumulates.
    pub macs: u64,
    /// Cycles in which the array computes, padding included: closed form.
    pub compute_cycles: u64,
    /// Cycles that the operands take into the buffers, a word or a beat a cycle: closed form.
    pub load_cycles: u64,
    /// Cycles that the bytes take at the memory's rate: closed form.
    pub memory_cycles: u64,
    /// Cycles of the event-driven engine.
    pub cycles: u64,
    /// Multiply-accumulates a byte.
    pub arithmetic_intensity: f64,
    /// The same from which on the array, not the memory, would limit.
    pub ridge_point: f64,
    /// Every arrangement of the machine's tiles that elaborates and holds the product, its own among them.
    pub shapes: Vec<MappingShape>,
    /// What limits: `compute`, `memory`, or `load path`: the way into the buffers.
    pub bound: String,
}
