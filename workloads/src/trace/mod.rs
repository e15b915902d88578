//! Layer traces: quantized layers with the activations that meet them, on disk.
//!
//! A trace is a folder with two files:
//!
//! - `layers.csv`, one line a layer: `name`, `tokens`, `output_channels`, `input_channels`, `group` (input channels a group),
//!   `weight_type` (registry name), `special_values` (four integers in units of 2^-fraction_bits, `;` between them),
//!   `scale_kind` (`int8`, `e8m0`, `e4m3` or `fp16`),
//!   `file` and its `sha256`, `tensors` (what the names of the layer's tensors start with). Fraction bits, groups per
//!   output channel and effective bits per weight follow from these and are not stored.
//! - `trace.safetensors` (other names are possible, one file may serve many layers), with five or six tensors a layer, each named
//!   `<tensors>.<part>`:
//!
//! | part | element type | shape |
//! | --- | --- | --- |
//! | `codes` | U8 | `[output channels, packed bytes of a row]`, packed as [`bitmosaic_numerics::packing`] says |
//! | `selectors` | U8 | `[output channels, groups]` |
//! | `scales` | U8, U16 where the kind is `fp16` | `[output channels, groups]` |
//! | `zero_points` | I8, only where the type has them | `[output channels, groups]` |
//! | `channel_scales` | F16 | `[output channels]` |
//! | `activations` | F16 | `[tokens, input channels]` |
//!
//! [`write_trace`] writes both, [`Trace::open`] checks the index and the hashes and then gives one layer at a time,
//! [`read_trace`] gives all.

mod index;
mod read;
mod write;

use bitmosaic_numerics::{DigitSet, NumericsError, QuantizedMatrix, ScaleKind, TermTable, f16, registry};
use safetensors::Dtype;

pub use read::{LayerShape, Trace, read_trace};
pub use write::write_trace;

/// Name of the index in the folder of a trace.
pub const INDEX_FILE: &str = "layers.csv";
/// Name of the tensor file that [`write_trace`] writes.
pub const DATA_FILE: &str = "trace.safetensors";
/// Most tokens, output channels or input channels of a layer.
pub const MAX_DIMENSION: usize = 1 << 24;
/// Largest magnitude of a special value that is looked at; no digit planes reach so far.
const LARGEST_SPECIAL_VALUE: u32 = 1 << 10;
/// Most bytes of a layer's name and of the start of its tensors' names.
pub const MAX_NAME_BYTES: usize = 256;

/// FP16 activations `[tokens, input_channels]`, row-major.
#[derive(Debug, Clone, PartialEq)]
pub struct Activations {
    /// Rows, at least 1.
    pub tokens: usize,
    /// Columns, at least 1.
    pub input_channels: usize,
    /// `tokens · input_channels` values.
    pub values: Vec<f16>,
}

impl Activations {
    /// The first value that is NaN or infinite: (token, input channel, value).
    pub fn first_non_finite(&self) -> Option<(usize, usize, f16)> {
        let index = self.values.iter().position(|v| !v.is_finite())?;
        Some((index / self.input_channels, index % self.input_channels, self.values[index]))
    }

    /// The activations of one token.
    ///
    /// # Panics
    /// If there is no such token.
    pub fn token(&self, token: usize) -> &[f16] {
        &self.values[token * self.input_channels..(token + 1) * self.input_channels]
    }
}

/// One layer: quantized weights and the activations that meet them.
#[derive(Debug, Clone, PartialEq)]
pub struct LayerTrace {
    /// Name for reports. Nothing is decided by it.
    pub name: String,
    /// Quantized weights.
    pub weights: QuantizedMatrix,
    /// Activations, one row a token.
    pub activations: Activations,
}

/// Whether NaN and infinite activations are accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NonFinite {
    /// They are refused, with the place.
    Refuse,
    /// They are accepted; every output of such a token is the canonical NaN.
    Allow,
}

impl LayerTrace {
    /// The layer's first output channels and first tokens.
    ///
    /// # Errors
    /// As [`LayerTrace::check`], and `Shape` if either is zero.
    pub fn first(&self, output_channels: usize, tokens: usize) -> Result<LayerTrace, NumericsError> {
        self.check()?;
        let (weights, activations) = (&self.weights, &self.activations);
        let channels = output_channels.min(weights.output_channels);
        let tokens = tokens.min(activations.tokens);
        let layer = LayerTrace {
            name: self.name.clone(),
            weights: QuantizedMatrix {
                weight_type: weights.weight_type.clone(),
                output_channels: channels,
                codes: weights.codes[..channels * weights.input_channels].to_vec(),
                selectors: weights.selectors[..channels * weights.groups()].to_vec(),
                zero_points: weights.zero_points[..weights.zero_points.len().min(channels * weights.groups())].to_vec(),
                scales: weights.scales[..channels * weights.groups()].to_vec(),
                channel_scales: weights.channel_scales[..channels].to_vec(),
                ..*weights
            },
            activations: Activations {
                tokens,
                input_channels: activations.input_channels,
                values: activations.values[..tokens * activations.input_channels].to_vec(),
            },
        };
        layer.check()?;
        Ok(layer)
    }

    /// Checks everything but the finiteness of the activations: name, lengths, ranges, and that a weight type
    /// with a name of the registry is the registry's.
    ///
    /// # Errors
    /// `Shape`, `NoTerms` or `NotFinite` of the numerics, naming the field.
    pub fn check(&self) -> Result<(), NumericsError> {
        let shape = |what: &str, found: String, expected: String| {
            Err(NumericsError::Shape { what: what.to_string(), found, expected })
        };
        self.weights.check()?;
        let (weights, activations) = (&self.weights, &self.activations);
        // A user codebook is in no registry: the type is what it says.
        let registered = registry().into_iter().find(|t| t.name == weights.weight_type.name);
        if registered.is_some_and(|t| t != weights.weight_type) {
            let expected = "the type the registry has under this name".to_string();
            return shape("weight type", format!("another `{}`", weights.weight_type.name), expected);
        }
        check_special_values(weights)?;
        if activations.input_channels != weights.input_channels {
            let expected = format!("{}, those of the weights", weights.input_channels);
            return shape("input channels of the activations", activations.input_channels.to_string(), expected);
        }
        let values = activations.tokens.checked_mul(activations.input_channels);
        if activations.tokens == 0 || values != Some(activations.values.len()) {
            let expected = format!("{} tokens of {}", activations.tokens.max(1), activations.input_channels);
            return shape("activation values", activations.values.len().to_string(), expected);
        }
        for (what, dimension) in [
            ("output channels", weights.output_channels),
            ("input channels", weights.input_channels),
            ("tokens", activations.tokens),
        ] {
            if dimension > MAX_DIMENSION {
                return shape(what, dimension.to_string(), format!("at most {MAX_DIMENSION}"));
            }
        }
        if !is_name(&self.name) {
            return shape("layer name", format!("{:?}", self.name), NAME_EXPECTED.to_string());
        }
        Ok(())
    }
}

const NAME_EXPECTED: &str = "1 to 256 bytes without control characters";

fn is_name(name: &str) -> bool {
    (1..=MAX_NAME_BYTES).contains(&name.len()) && !name.chars().any(char::is_control)
}

/// Special values are programmable, but only as far as the type's digit planes reach; without any they are zero.
fn check_special_values(weights: &QuantizedMatrix) -> Result<(), NumericsError> {
    if weights.weight_type.special.is_none() {
        return match weights.special_values.iter().find(|v| **v != 0) {
            None => Ok(()),
            Some(value) => Err(NumericsError::Shape {
                what: format!("special value of a `{}` weight", weights.weight_type.name),
                found: value.to_string(),
                expected: "0: the type has none".into(),
            }),
        };
    }
    // The set that reaches furthest; a design with another one may still refuse the value.
    let table = TermTable::new(&weights.weight_type, DigitSet::Paper)?;
    weights.special_values.iter().try_for_each(|value| {
        // The search for digits is for values of the size of weights.
        if value.unsigned_abs() > LARGEST_SPECIAL_VALUE {
            return Err(NumericsError::Shape {
                what: format!("special value of a `{}` weight", weights.weight_type.name),
                found: value.to_string(),
                expected: format!("a magnitude of at most {LARGEST_SPECIAL_VALUE}"),
            });
        }
        table.special_digits(&weights.weight_type, *value).map(|_| ())
    })
}

/// Element type of the group scale codes.
fn scale_element(kind: ScaleKind) -> Dtype {
    if kind.code_bits() > u8::BITS { Dtype::U16 } else { Dtype::U8 }
}

/// Names of the tensors of a layer.
struct TensorNames {
    codes: String,
    selectors: String,
    scales: String,
    zero_points: String,
    channel_scales: String,
    activations: String,
}

impl TensorNames {
    fn new(start: &str) -> TensorNames {
        let name = |part: &str| format!("{start}.{part}");
        TensorNames {
            codes: name("codes"),
            selectors: name("selectors"),
            scales: name("scales"),
            zero_points: name("zero_points"),
            channel_scales: name("channel_scales"),
            activations: name("activations"),
        }
    }
}
