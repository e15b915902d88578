use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// An axis of a sweep.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct SweepAxis {
    /// Name: a key, a path into the design file, or what stands for several.
    pub name: String,
    /// How many values it has.
    pub values: u64,
}

/// A row of a sweep's results.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
pub struct SweepPoint {
    /// Number of the row.
    pub row: u64,
    /// What it differs from others in, by key: `design`, `type`, ... and paths into the design file.
    pub settings: BTreeMap<String, String>,
    /// Numbers by column; those that are not there are left out.
    pub metrics: BTreeMap<String, f64>,
}

/// A Pareto front.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
pub struct ParetoFront {
    /// Columns that it was taken in; of rates and utilization more is better, of all others less.
    pub columns: Vec<String>,
    /// Points that it was taken from: those with all columns, within the limits.
    pub candidates: u64,
    /// Points that no other beats, from the best in the first column to the worst; equal ones are all there.
    pub points: Vec<SweepPoint>,
}

/// Cycles of a phase by cause; together all of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct PhaseCycles {
    /// A step.
    pub compute: u64,
    /// A product waits for its operands, or for room for its outputs.
    pub memory: u64,
    /// The scale units still work on the group before.
    pub scale_unit: u64,
    /// Filling and draining, once a command; waits of a tile's streams.
    pub fill_drain: u64,
    /// Operations of the vector unit.
    pub vector: u64,
}

/// A reference design and the best point in the same surroundings that is not larger, in a phase.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
pub struct IsoArea {
    /// Reference design.
    pub reference: String,
    /// Phase, `decode:256`.
    pub phase: String,
    /// Model, types, groups and memory of both.
    pub surroundings: String,
    /// Row of the reference.
    pub reference_row: u64,
    /// Row of the fastest point among those with no more area, the smallest of these; null where none is.
    pub best_row: Option<u64>,
    /// Area of both, µm².
    pub area_um2: [Option<f64>; 2],
    /// Seconds of both.
    pub seconds: [Option<f64>; 2],
    /// Cycles of both.
    pub cycles: [Option<PhaseCycles>; 2],
    /// Energy of both, joules a token.
    pub joules_per_token: [Option<f64>; 2],
    /// Seconds of the reference / those of the point.
    pub speed_up: Option<f64>,
}

/// The comparison of a report: in which fields of the design file the two differ.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
pub struct IsoAreaDetails {
    /// The comparison.
    pub comparison: IsoArea,
    /// Path, value of the reference, value of the point; empty where a design does not have the field.
    pub fields: Vec<[String; 3]>,
}

/// A sweep.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
pub struct SweepResult {
    /// The spec's line about itself.
    pub summary: String,
    /// What it ranges over.
    pub axes: Vec<SweepAxis>,
    /// Phases.
    pub phases: Vec<String>,
    /// Points, references left out.
    pub points: u64,
    /// Points by status: `ok` have numbers; `no-machine` do not elaborate; `no-fit` cannot run the model.
    pub status: BTreeMap<String, u64>,
    /// Reasons of points without numbers, and how many have each; at most 20, the most frequent first.
    pub reasons: Vec<(String, u64)>,
    /// Rows of the results file, the references' included.
    pub rows: u64,
    /// The spec's limits on points of fronts and comparisons, as text.
    pub limits: Vec<String>,
    /// Fronts of area and each phase's time.
    pub fronts: Vec<ParetoFront>,
    /// References beside the best points in the same surroundings.
    pub iso_area: Vec<IsoArea>,
    /// Some of them in detail: of each reference and phase the one in the surroundings of the spec's `base`.
    pub details: Vec<IsoAreaDetails>,
}
