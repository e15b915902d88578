//! Numbers of a mixture-of-datatype machine, without any hardware: weight data types (`code -> integer value`),
//! bit-serial term tables, FP16, scales, packing and the group quantizer.
//!
//! A weight is `(value(code) - zero point) · 2^-fraction_bits · group scale · channel scale` (ARCHITECTURE.md, "Numerics").

mod error;
pub mod exact;
pub mod fp16;
pub mod packing;
mod quantize_block;
pub mod quantize_group;
pub mod quantize_group_fp32;
pub mod quantize_matrix;
mod quantize_pairs;
mod quantized;
mod scale;
pub mod second_level;
mod statistics;
pub mod term;
mod types;
mod weight_type;

pub use error::NumericsError;
pub use half::f16;
pub use quantize_group::{QuantizedGroup, quantize_group};
pub use quantize_matrix::{quantize_matrix, quantize_matrix_with_scales, weights_to_fp16};
pub use quantized::QuantizedMatrix;
pub use scale::{LARGEST_SCALE_EXPONENT, SMALLEST_SCALE_EXPONENT, Scale, ScaleKind};
pub use statistics::{ErrorStatistics, error_statistics};
pub use term::{Digit, DigitSet, TermTable};
pub use types::{load_codebook, parse_codebook, registry, weight_type};
pub use weight_type::{CodeValue, Rounding, ScaleRule, SpecialValues, WeightType};

/// Largest group size a quantized matrix may have, in input channels.
pub const MAX_GROUP: usize = 256;
/// Special values a group can choose from (2 selector bits).
pub const SPECIAL_VALUES: usize = 4;
