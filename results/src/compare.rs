use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{AccuracyResult, Fidelity, Stalls};

/// Resources of a machine, counted in its netlist: tile, and aligner where it has one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct Area {
    /// Two-input gates: those of the operations and six a flip-flop. RAM is not in it.
    pub gate_equivalents: u64,
    /// Two-input gate equivalents of the operations.
    pub cells: u64,
    /// Flip-flops.
    pub flip_flops: u64,
    /// RAM bits: the aligner's group buffer.
    pub ram_bits: u64,
}

/// A design as its file describes it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct ComparedDesign {
    /// Name.
    pub name: String,
    /// SHA-256 of the design in canonical form.
    pub design_sha256: String,
    /// Weight types that it executes in one build.
    pub types: Vec<String>,
    /// Largest group in input channels.
    pub max_group: u64,
    /// Multiply-accumulates of one term that it could do a cycle: PEs times lanes.
    pub terms_per_cycle: u64,
    /// Resources of that build.
    pub area: Area,
}

/// One layer in one weight type and group on one design, built for this type alone.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
pub struct ComparePoint {
    /// Layer.
    pub layer: String,
    /// Weight type.
    #[serde(rename = "type")]
    pub weight_type: String,
    /// Input channels per group.
    pub group: u64,
    /// Design.
    pub design: String,
    /// Terms (cycles) per weight.
    pub terms: u64,
    /// Storage per weight, scales and selectors included.
    pub effective_bits_per_weight: f64,
    /// Of the quantized weights: sum of squared errors / sum of squared weights.
    pub weights_relative_mse: f64,
    /// Resources of the design built for this type alone.
    pub area: Area,
    /// All cycles.
    pub cycles: u64,
    /// Cycles with a step.
    pub compute_cycles: u64,
    /// The other cycles.
    pub stalls: Stalls,
    /// Useful multiply-accumulate terms / terms the PEs could have done in all cycles.
    pub utilization: f64,
    /// Gate equivalents times cycles / multiply-accumulates of the layer, padding excluded: what one of them costs.
    pub gate_cycles_per_mac: f64,
    /// Exact arithmetic on the quantized weights against the layer before quantization: what quantization alone costs. Null
    /// where no output is finite, or all are zero.
    pub quantized: Option<Fidelity>,
    /// The machine's outputs against the layer before quantization.
    pub machine: Option<Fidelity>,
    /// The machine's outputs against exact arithmetic on the same quantized weights, beside the yardsticks.
    pub error: AccuracyResult,
    /// Whether no other point of this layer, on any design, is better in one of `gate_cycles_per_mac` and
    /// `machine.relative_mse` and no worse in the other.
    pub pareto: bool,
}

/// Types and machines side by side.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
pub struct CompareResult {
    /// The designs, in the order asked for.
    pub designs: Vec<ComparedDesign>,
    /// Layer by layer, type by type, group by group, design by design.
    pub points: Vec<ComparePoint>,
    /// Types, and groups of a design, that cannot run, with the reason.
    pub left_out: BTreeMap<String, String>,
}
