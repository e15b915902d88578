use crate::DigitSet;

/// What the numerics refuse, with the remedy in the text.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum NumericsError {
    /// A weight type that is not in the registry.
    #[error("weight type `{name}` is not known; known types: {known}")]
    UnknownType {
        /// The name asked for.
        name: String,
        /// The names of the registry, comma separated.
        known: String,
    },
    /// A user codebook that is not there or not usable.
    #[error("codebook `{file}`: {what}")]
    Codebook {
        /// Path of the file.
        file: String,
        /// Field, or line and column where it is not TOML of a codebook; finding and remedy. One line.
        what: String,
    },
    /// A value that no digit sequence of the set reaches.
    #[error(
        "value {value} of weight type `{weight_type}` has no representation in {planes} digit planes of {digit_set}, which reach ±{}",
        digit_set.largest_value(*planes)
    )]
    NoTerms {
        /// The type that holds the value.
        weight_type: String,
        /// Integer value, in units of 2^-fraction_bits.
        value: i64,
        /// Planes tried.
        planes: usize,
        /// Digits tried.
        digit_set: DigitSet,
    },
    /// FP16 multipliers and weights of another type.
    #[error(
        "weights of type `{weight_type}` are no FP16 numbers, and this processing element multiplies by those alone"
    )]
    NotFp16 {
        /// The type.
        weight_type: String,
    },
    /// A matrix whose shape and data disagree, or an impossible group.
    #[error("{what}: found {found}, expected {expected}")]
    Shape {
        /// The field.
        what: String,
        /// What it holds.
        found: String,
        /// What would be right.
        expected: String,
    },
    /// A weight or activation that is NaN or infinite where a finite number is needed.
    #[error("{what} at row {row}, column {column} is {value}; only finite values can be quantized")]
    NotFinite {
        /// What kind of element.
        what: &'static str,
        /// Row index.
        row: usize,
        /// Column index.
        column: usize,
        /// The value as text.
        value: String,
    },
}
