//! Host reference of a quantized matrix product, `outputs[token, output_channel] = Σ activation · weight`:
//! - [`mod@exact`]: integer arithmetic and one rounding;
//! - [`datapath`]: the `bit-serial-block` machine as plain mathematics, bit by bit;
//! - [`float_datapath`] and [`mac_datapath`]: the `bit-serial-float` and the `fp16-mac` machine likewise;
//! - [`PackedWeights`] and [`PackedDigits`]: all but the last of these fast, on weights packed once for vector instructions;
//! - [`yardstick`]: what an FP16-accumulating and an FP32-accumulating machine would give;
//! - [`stats`]: errors of any of them against the exact result, and against the layer before quantization;
//! - [`forward`]: the parts of a model around the products.
//!
//! Activations are FP16, shape `[tokens, input_channels]`; outputs FP16, shape `[tokens, output_channels]`; weights a
//! [`QuantizedMatrix`](bitmosaic_numerics::QuantizedMatrix) of shape `[output_channels, input_channels]`. A token with a
//! NaN or an infinity among its real input channels has canonical NaN outputs everywhere. Every result is the same at any
//! number of threads.

pub mod datapath;
mod error;
pub mod exact;
pub mod float_datapath;
pub mod forward;
pub mod mac_datapath;
pub mod stats;
pub mod yardstick;

mod fast;
mod limbs;
mod operands;
mod packed;
mod packed_digits;
mod simd;

pub use datapath::BlockDatapath;
pub use error::KernelError;
pub use exact::{ExactResult, exact};
pub use float_datapath::FloatDatapath;
pub use mac_datapath::MacDatapath;
pub use packed::PackedWeights;
pub use packed_digits::PackedDigits;
#[doc(hidden)]
pub use simd::Level;
pub use stats::{Agreement, OutputErrors, agreement, output_errors, unquantized};
