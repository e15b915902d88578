//! The schema of a design file. Only what a person decides stands here; everything else is derived by elaboration.

use bitmosaic_numerics::ScaleKind;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One accelerator design.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DesignSpec {
    /// Name, lower case letters, digits and dashes.
    pub name: String,
    /// One line for listings.
    pub summary: String,
    /// Clock of the simulated machine in MHz, 1 to 10000; cycles do not depend on it.
    pub clock_mhz: u32,
    /// Registers within the floating-point steps of aligner, scale unit and output stage: 0, a step (align, convert, add,
    /// normalize and round) takes a cycle; 1, it is cut into parts of a cycle each, for slow logic such as an FPGA's.
    #[serde(default, skip_serializing_if = "is_default")]
    pub float_pipeline_registers: u32,
    /// The tile.
    pub tile: TileSpec,
    /// The processing element.
    pub processing_element: ProcessingElementSpec,
    /// The shared scale unit of `bit-serial-block`, `fp16-int` and `fp16-mac` processing elements. The `bit-serial-float` one multiplies by
    /// the scale in each PE and has an accumulator a column instead.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scale_unit: Option<ScaleUnitSpec>,
    /// What the machine can execute.
    pub weights: WeightsSpec,
    /// Array of tiles; without it (and `buffers`, `memory`) the design is a tile alone, whose operands come as streams.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub array: Option<ArraySpec>,
    /// Buffers of the array.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub buffers: Option<BuffersSpec>,
    /// Memory port of the array.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory: Option<MemorySpec>,
    /// Vector unit beside the array: norms, softmax, activation functions and the like. Models need one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vector_unit: Option<VectorUnitSpec>,
}

/// The vector unit; timed, not built (DEVIATIONS.md).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct VectorUnitSpec {
    /// FP16 elements a cycle of one pass. 1 to 1024.
    pub lanes: u32,
}

/// The array of tiles; both numbers and the tile's rows and columns are powers of two.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ArraySpec {
    /// Tiles down: more tokens. 1 to 16.
    pub down: u32,
    /// Tiles across: more output channels. 1 to 16.
    pub across: u32,
}

/// Depths of one half of each double buffer, powers of two.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BuffersSpec {
    /// Chunks of `lanes` input channels of weights, each `columns x lanes` codes. At least the largest group.
    pub weight_chunks: u32,
    /// Chunks of `lanes` activations a row. At least the largest group.
    pub activation_chunks: u32,
    /// Chunks in an entry of either buffer, a power of two from 1 to 8: what is loaded, and aligned, at a time. Groups are
    /// multiples of it.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub chunks_per_entry: u32,
    /// Groups: scales, zero points and special value selectors of all columns; shared exponents a row.
    pub groups: u32,
    /// Passes whose outputs are held, `rows x columns` FP16 each; as many column blocks' channel scales.
    pub blocks: u32,
    /// Passes whose binary32 accumulators are held, at most `blocks`. More than one lets a command that takes a part of a long
    /// reduction have several passes, which share what it loads; the accumulators then stand in memories instead of registers.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub accumulator_blocks: u32,
}

/// The AXI4 memory port.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MemorySpec {
    /// Data bits: a power of two, 16 to 256, at most 16 per column of the array.
    pub data_bits: u32,
    /// Beats of the longest burst: a power of two, 1 to 256.
    pub burst_beats: u32,
    /// Load bursts on their way at a time: a power of two, 1 to 64.
    pub outstanding_reads: u32,
    /// Store bursts on their way at a time: a power of two, 1 to 64.
    pub outstanding_writes: u32,
}

/// Rows and columns of processing elements.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TileSpec {
    /// Rows of PEs; a row is a token. 1 to 64.
    pub rows: u32,
    /// Columns of PEs; a column is an output channel. 1 to 64.
    pub columns: u32,
}

/// Kinds of processing element.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum PeKind {
    /// Activations of a group share an exponent; the PE is pure integer and a shared scale unit finishes the group.
    BitSerialBlock,
    /// The BitMoD paper's PE, made correct: exponents are aligned every cycle, each PE has a bit-serial dequantizer.
    BitSerialFloat,
    /// Bit-parallel, like FIGNA, ANT and OliVe: activations share an exponent as those of `bit-serial-block`, whole weights
    /// multiply them, or small significands whose products are shifted.
    Fp16Int,
    /// Bit-parallel, conventional: FP16 weights times FP16 activations, aligned every cycle as those of `bit-serial-float`.
    Fp16Mac,
}

/// Digits of the terms.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Digits {
    /// {0, ±1, ±2, ±4}, a plane weighs four times the one below.
    #[default]
    Radix4,
    /// {0, ±1, ±2, ±4, ±8}, likewise: those of the BitMoD paper.
    Paper,
    /// {0, ±1, ±2, ±3, ±4, ±6}, a plane weighs eight times the one below; each row has three times its activations.
    Radix8,
    /// -16 to 15, a plane weighs sixteen times the one below: types of up to 5 bits in one cycle, wider ones in two.
    Radix16,
    /// -128 to 127: every type in one cycle.
    Whole,
    /// A 4-bit significand and a shift, as ANT's and OliVe's decoders give them: 0 to ±7 times 1, 2, 4, 8 or 16, a plane weighs
    /// sixteen times the one below. Floats, flint and outliers in one cycle, wide integers in two.
    Shifted,
}

/// Order of the terms of a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum TermOrder {
    /// All terms of a chunk of lanes, lowest plane first, then the next chunk: operands are read once.
    #[default]
    WeightMajor,
    /// The highest plane of all weights of the group, then the next lower one: the accumulator moves by a fixed shift between
    /// planes, operands are read once a plane.
    PlaneMajor,
}

/// The processing element.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ProcessingElementSpec {
    /// Kind.
    pub kind: PeKind,
    /// Weights (and activations) a cycle: a power of two, 1 to 16.
    pub lanes: u32,
    /// Digits that the lanes multiply by; `bit-serial-float` has `radix4` alone, `fp16-int` `whole`, `radix16` or `shifted`,
    /// `fp16-mac` none.
    #[serde(default, skip_serializing_if = "is_default")]
    pub digits: Digits,
    /// Which terms follow each other; only `bit-serial-block` is not always `weight-major`.
    #[serde(default, skip_serializing_if = "is_default")]
    pub order: TermOrder,
    /// `bit-serial-block`, `fp16-int`: bits of an aligned activation, sign included (W), 8 to 24.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub significand_bits: Option<u32>,
    /// `bit-serial-float`, `fp16-mac`: bits kept below a product's significand (11 bits, 22) when it is aligned within its cycle, 0 to
    /// 8 (the paper: 3).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub guard_bits: Option<u32>,
    /// `bit-serial-float`, `fp16-mac`: bits kept below a cycle's sum in the group accumulator, 0 to 8.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accumulator_guard_bits: Option<u32>,
    /// Registers between the operand register and the accumulator: 0 none, 1 after the adder tree, 2 also after the lanes
    /// (`bit-serial-float`, `fp16-mac`: after the largest exponent).
    pub pipeline_registers: u32,
}

/// The shared scale unit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ScaleUnitSpec {
    /// PEs that one unit serves; a divisor or a multiple of the rows that divides the PEs of the tile.
    pub pes_per_scale_unit: u32,
}

/// Executable weights.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct WeightsSpec {
    /// Names of weight types; one build of the design runs all of them.
    pub types: Vec<String>,
    /// Kinds of group scale: `int8` (the default alone), `e8m0`, `e4m3`, `fp16`.
    #[serde(default = "int8_scales", skip_serializing_if = "is_int8_scales")]
    pub scales: Vec<String>,
    /// Largest group in input channels, a multiple of the lanes, up to 256.
    pub max_group: u32,
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

fn one() -> u32 {
    1
}

fn is_one(value: &u32) -> bool {
    *value == 1
}

fn int8_scales() -> Vec<String> {
    vec![ScaleKind::Int8.name().to_string()]
}

fn is_int8_scales(scales: &Vec<String>) -> bool {
    *scales == int8_scales()
}
