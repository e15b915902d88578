use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    AccuracyResult, CompareResult, CosimResult, MappingResult, ParetoFront, PeersResult, QuantizedTensor,
    ReproduceResult, RtlResult, SimulateResult, SweepResult,
};

/// Version of every document's schema; raised when a key changes its meaning or goes away.
pub const SCHEMA_VERSION: u32 = 1;

/// What made a result. No wall time, path or host: two runs give the same bytes.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct Provenance {
    /// Version of the tool.
    pub version: String,
    /// Name of the design.
    pub design: String,
    /// SHA-256 of the design in canonical form.
    pub design_sha256: String,
    /// Workload: model and phase, shape, or trace with its hash.
    pub workload: String,
    /// Mapping.
    pub mapping: String,
    /// Engine or engines.
    pub engine: String,
    /// Memory model and setting.
    pub memory: String,
    /// Seed of everything random.
    pub seed: u64,
}

/// `bitmosaic simulate --json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SimulateDocument {
    /// [`SCHEMA_VERSION`].
    pub schema_version: u32,
    /// What made the result.
    pub provenance: Provenance,
    /// The result.
    #[serde(flatten)]
    pub result: SimulateResult,
}

/// `bitmosaic mapping explain --json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct MappingDocument {
    /// [`SCHEMA_VERSION`].
    pub schema_version: u32,
    /// What made the result.
    pub provenance: Provenance,
    /// The result.
    #[serde(flatten)]
    pub result: MappingResult,
}

/// `bitmosaic peers --json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PeersDocument {
    /// [`SCHEMA_VERSION`].
    pub schema_version: u32,
    /// What made the result.
    pub provenance: Provenance,
    /// The result.
    #[serde(flatten)]
    pub result: PeersResult,
}

/// `bitmosaic cosim --json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CosimDocument {
    /// [`SCHEMA_VERSION`].
    pub schema_version: u32,
    /// What made the result.
    pub provenance: Provenance,
    /// The result.
    #[serde(flatten)]
    pub result: CosimResult,
}

/// `bitmosaic reproduce --json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ReproduceDocument {
    /// [`SCHEMA_VERSION`].
    pub schema_version: u32,
    /// What made the result.
    pub provenance: Provenance,
    /// The result.
    #[serde(flatten)]
    pub result: ReproduceResult,
}

/// `bitmosaic quantize --json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct QuantizeDocument {
    /// [`SCHEMA_VERSION`].
    pub schema_version: u32,
    /// What made the result.
    pub provenance: Provenance,
    /// One entry a tensor, in the checkpoint's order of names.
    pub tensors: Vec<QuantizedTensor>,
}

/// `bitmosaic rtl --json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RtlDocument {
    /// [`SCHEMA_VERSION`].
    pub schema_version: u32,
    /// What made the result.
    pub provenance: Provenance,
    /// The result.
    #[serde(flatten)]
    pub result: RtlResult,
}

/// `bitmosaic program show --json` and `bitmosaic program assemble --json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ProgramDocument {
    /// [`SCHEMA_VERSION`].
    pub schema_version: u32,
    /// The commands as text, `end` last.
    pub commands: Vec<String>,
}

/// `bitmosaic run --json`: the main job.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RunDocument {
    /// [`SCHEMA_VERSION`].
    pub schema_version: u32,
    /// What made the result.
    pub provenance: Provenance,
    /// Quantization of the layer.
    pub quantize: QuantizedTensor,
    /// Cycles, stalls, bytes.
    pub simulate: SimulateResult,
    /// Simulator and netlist simulator on the same program.
    pub cosim: CosimResult,
    /// Error of the datapath against the exact reference, beside the FP16 and FP32 yardsticks.
    pub error: AccuracyResult,
    /// File name of the report.
    pub report: String,
}

/// `bitmosaic compare --json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CompareDocument {
    /// [`SCHEMA_VERSION`].
    pub schema_version: u32,
    /// What made the result.
    pub provenance: Provenance,
    /// The result.
    #[serde(flatten)]
    pub result: CompareResult,
    /// File name of the report.
    pub report: String,
}

/// `bitmosaic sweep --json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SweepDocument {
    /// [`SCHEMA_VERSION`].
    pub schema_version: u32,
    /// What made the result; the hash is that of the spec and the designs that it names.
    pub provenance: Provenance,
    /// The result.
    #[serde(flatten)]
    pub result: SweepResult,
    /// File name of the rows.
    pub results: String,
    /// File name of the report.
    pub report: String,
}

/// `bitmosaic pareto --json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ParetoDocument {
    /// [`SCHEMA_VERSION`].
    pub schema_version: u32,
    /// SHA-256 of the results file.
    pub results_sha256: String,
    /// Limits on the points, as text.
    pub limits: Vec<String>,
    /// The front.
    #[serde(flatten)]
    pub front: ParetoFront,
}

/// A row of `bitmosaic list`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ListEntry {
    /// Name, as other commands take it.
    pub name: String,
    /// One line.
    pub summary: String,
}

/// `bitmosaic list --json`: an array of entries.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct ListDocument(pub Vec<ListEntry>);
