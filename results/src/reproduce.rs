use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A published machine on a published model: what was printed, what the model of the paper gives here, what the cycle engine
/// says of the machine that is built.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
pub struct ReproducedPoint {
    /// Machine of the paper.
    pub machine: String,
    /// Model.
    pub model: String,
    /// Phase, `prefill:256` or `decode:256`.
    pub phase: String,
    /// Published cycles.
    pub published_cycles: u64,
    /// Cycles of the engine `hpca25`.
    pub hpca25_cycles: u64,
    /// Of them, cycles of attention.
    pub hpca25_attention_cycles: u64,
    /// Published energy in µJ: on the chip, total.
    pub published_energy_uj: [u64; 2],
    /// Energy of the engine `hpca25` in µJ, rounded half to even.
    pub hpca25_energy_uj: [u64; 2],
    /// The cycle engine on the built machine; null where there is none of this kind.
    pub cycle_engine: Option<CycleEnginePoint>,
}

/// The cycle engine's view of a point.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
pub struct CycleEnginePoint {
    /// Weight type and group it ran with.
    pub weights: String,
    /// All cycles.
    pub cycles: u64,
    /// Cycles with a step of the array.
    pub compute_cycles: u64,
    /// Cycles in which only memory held the machine up.
    pub memory_cycles: u64,
    /// Cycles of scores and weighted values.
    pub attention_cycles: u64,
    /// Cycles of the vector unit.
    pub vector_cycles: u64,
    /// Bytes to and from memory.
    pub bytes: u64,
    /// Energy of logic and accesses to memories on the chip in µJ, in the paper's technology.
    pub on_chip_uj: f64,
    /// Leakage of the memories in µJ, which the paper's model leaves out.
    pub leakage_uj: f64,
    /// Energy with DRAM in µJ.
    pub total_uj: f64,
}

/// A part of a tile in the paper's table and here.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
pub struct ReproducedTile {
    /// Machine of the paper.
    pub machine: String,
    /// Part.
    pub part: String,
    /// Published area; null for parts that the paper's tile does not list.
    pub published_um2: Option<f64>,
    /// Published power at 1 GHz.
    pub published_mw: Option<f64>,
    /// Estimated area of the tile that is built; null where there is none of this kind.
    pub um2: Option<f64>,
    /// Estimated power, busy in every cycle.
    pub mw: Option<f64>,
}

/// A mean over the models.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
pub struct ReproducedRatio {
    /// Machine of the paper.
    pub machine: String,
    /// `discriminative` (a prefill) or `generative` (that and 20 decodes).
    pub scenario: String,
    /// `time` or `energy`.
    pub quantity: String,
    /// Gain over FP16 as printed.
    pub published: f64,
    /// Gain over FP16 of the engine `hpca25`.
    pub hpca25: f64,
}

/// A publication beside what is computed here.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
pub struct ReproduceResult {
    /// Machines, models and phases.
    pub points: Vec<ReproducedPoint>,
    /// Means of the figures.
    pub ratios: Vec<ReproducedRatio>,
    /// Parts of tiles.
    pub tiles: Vec<ReproducedTile>,
    /// Published numbers that differ from the engine `hpca25`'s: cycles, energies, means as far as they were printed.
    pub differing: u64,
}
