use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Error of computed outputs against the exact reference. Relative errors are |computed - exact| / Σ|activation · weight|.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
pub struct ErrorStatistics {
    /// Mean over all finite outputs.
    pub mean_relative: f64,
    /// Root of the mean square over all finite outputs.
    pub rms_relative: f64,
    /// Largest.
    pub max_relative: f64,
    /// Outputs whose FP16 bits equal those of the exact result rounded once.
    pub equal_outputs: u64,
    /// Outputs that are NaN or infinite on one side only; they are not in the mean.
    pub non_finite_mismatches: u64,
    /// Outputs compared.
    pub outputs: u64,
}

/// The datapath beside the yardsticks, all against the exact reference.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
pub struct AccuracyResult {
    /// The machine.
    pub datapath: ErrorStatistics,
    /// FP16 multiply, FP16 accumulate.
    pub fp16_yardstick: ErrorStatistics,
    /// FP16 multiply, FP32 accumulate.
    pub fp32_yardstick: ErrorStatistics,
}

/// Outputs against those of the layer before quantization: FP32 weights and activations, sums in binary64, nothing rounded.
/// Over the outputs that are finite on both sides.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
pub struct Fidelity {
    /// Cosine of the angle between both, taken as vectors of all outputs.
    pub cosine: f64,
    /// Sum of squared differences / sum of squares of the layer's own outputs.
    pub relative_mse: f64,
}
