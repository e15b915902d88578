use bitmosaic_numerics::NumericsError;

/// What the host reference refuses.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum KernelError {
    /// The quantized matrix is not consistent.
    #[error(transparent)]
    Matrix(#[from] NumericsError),
    /// A length or parameter that does not fit.
    #[error("{what}: found {found}, expected {expected}")]
    Shape {
        /// The field.
        what: &'static str,
        /// What it holds.
        found: String,
        /// What would be right.
        expected: String,
    },
    /// Sums that the integers of the reference cannot hold exactly.
    #[error(
        "{what} needs {bits} bits, {limit} are available; use fewer input channels or a type with smaller magnitudes"
    )]
    TooWide {
        /// The sum.
        what: &'static str,
        /// Bits it may need, sign excluded.
        bits: u32,
        /// Bits there are, sign excluded.
        limit: u32,
    },
}
