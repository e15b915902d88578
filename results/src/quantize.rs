use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Quantization of one tensor.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct QuantizedTensor {
    /// Name in the checkpoint.
    pub name: String,
    /// Output channels, input channels.
    pub shape: [u64; 2],
    /// Weight type.
    #[serde(rename = "type")]
    pub weight_type: String,
    /// Input channels per group.
    pub group: u64,
    /// Mean square error.
    pub mse: f64,
    /// Sum of squared errors / sum of squared weights.
    pub relative_mse: f64,
    /// Storage per weight, scales and selectors included.
    pub effective_bits_per_weight: f64,
    /// By name; empty for types without special values.
    pub special_values: std::collections::BTreeMap<String, u64>,
}
