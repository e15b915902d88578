//! Fields of the metadata streams.

use bitmosaic_arch::{EXPONENT_BITS, Machine};
use bitmosaic_mappings::{read_bits, sign_extend};

/// Scale code and zero point of a column on the scale stream.
pub(crate) fn scale_field(machine: &Machine, beat: &[u64], column: u32) -> (u16, i64) {
    let (base, code_bits, zero_bits) =
        (column * machine.tile.scale_field_bits, machine.scale_code_bits, machine.zero_point_bits);
    let zero = match zero_bits {
        0 => 0,
        _ => sign_extend(read_bits(beat, base + code_bits, zero_bits), zero_bits),
    };
    (read_bits(beat, base, code_bits) as u16, zero)
}

/// What a row has on the exponent stream.
pub(crate) struct ExponentField {
    pub(crate) exponent: u32,
    pub(crate) non_finite: bool,
    /// Sum of the aligned activations, 0 for a machine without zero points.
    pub(crate) sum: i64,
}

/// The exponent stream's field of a row.
pub(crate) fn exponent_field(machine: &Machine, beat: &[u64], row: u32) -> ExponentField {
    let base = row * machine.tile.exponent_field_bits;
    let sum = match machine.activation_sum_bits {
        0 => 0,
        bits => sign_extend(read_bits(beat, base + EXPONENT_BITS + 1, bits), bits),
    };
    ExponentField {
        exponent: read_bits(beat, base, EXPONENT_BITS) as u32,
        non_finite: read_bits(beat, base + EXPONENT_BITS, 1) == 1,
        sum,
    }
}
