//! Stored form of codes: `code_bits` bits a code, least significant bit first, into bytes; every row (output channel)
//! starts at a byte boundary and the bits left over in its last byte are zero.
//!
//! Code `i` of a row occupies the row's bits `i · code_bits .. (i + 1) · code_bits`, bit `b` of a row being bit `b % 8`
//! of its byte `b / 8`.

use crate::NumericsError;

/// Bytes of one packed row of `columns` codes, `code_bits` bits each. Saturates instead of overflowing.
pub fn packed_row_bytes(columns: usize, code_bits: u32) -> usize {
    let (full, rest) = (columns / 8, columns % 8);
    full.saturating_mul(code_bits as usize).saturating_add((rest * code_bits as usize).div_ceil(8))
}

/// Packs `[rows, columns]` codes into `rows · packed_row_bytes` bytes.
///
/// # Errors
/// `Shape` for a width outside 1..=16, a length other than `rows · columns`, or a code that does not fit the width.
pub fn pack(codes: &[u16], rows: usize, columns: usize, code_bits: u32) -> Result<Vec<u8>, NumericsError> {
    check_width(code_bits)?;
    check_length("codes to pack", codes.len(), rows, columns)?;
    let row_bytes = packed_row_bytes(columns, code_bits);
    let mut packed = vec![0; rows.saturating_mul(row_bytes)];
    if packed.is_empty() {
        return Ok(packed);
    }
    for (row, (codes, bytes)) in codes.chunks_exact(columns).zip(packed.chunks_exact_mut(row_bytes)).enumerate() {
        for (column, code) in codes.iter().enumerate() {
            if u32::from(*code) >> code_bits != 0 {
                return Err(NumericsError::Shape {
                    what: format!("code at row {row}, column {column}"),
                    found: format!("{code:#x}"),
                    expected: format!("at most {code_bits} bits"),
                });
            }
            let first_bit = column * code_bits as usize;
            let shifted = u32::from(*code) << (first_bit % 8);
            for (byte, part) in bytes[first_bit / 8..].iter_mut().zip(shifted.to_le_bytes()) {
                *byte |= part;
            }
        }
    }
    Ok(packed)
}

/// Inverse of [`pack`]: `[rows, columns]` codes.
///
/// # Errors
/// `Shape` for a width outside 1..=16, a length other than `rows · packed_row_bytes`, or a padding bit that is set.
pub fn unpack(packed: &[u8], rows: usize, columns: usize, code_bits: u32) -> Result<Vec<u16>, NumericsError> {
    check_width(code_bits)?;
    let row_bytes = packed_row_bytes(columns, code_bits);
    check_length("packed codes in bytes", packed.len(), rows, row_bytes)?;
    // The packed length bounds this: at most eight codes a byte.
    let mut codes = Vec::with_capacity(if row_bytes == 0 { 0 } else { rows * columns });
    if packed.is_empty() {
        return Ok(codes);
    }
    let mask = (1u32 << code_bits) - 1;
    for (row, bytes) in packed.chunks_exact(row_bytes).enumerate() {
        let from = |byte: usize| (0..3).rev().fold(0, |v, i| v << 8 | u32::from(*bytes.get(byte + i).unwrap_or(&0)));
        codes.extend((0..columns).map(|column| {
            let first_bit = column * code_bits as usize;
            (from(first_bit / 8) >> (first_bit % 8) & mask) as u16
        }));
        let used_bits = (columns % 8) * code_bits as usize % 8;
        if used_bits != 0 && bytes[row_bytes - 1] >> used_bits != 0 {
            return Err(NumericsError::Shape {
                what: format!("padding bits after row {row} of packed codes"),
                found: format!("{:#x}", bytes[row_bytes - 1] >> used_bits),
                expected: "zero".into(),
            });
        }
    }
    Ok(codes)
}

fn check_width(code_bits: u32) -> Result<(), NumericsError> {
    if (1..=16).contains(&code_bits) {
        return Ok(());
    }
    Err(NumericsError::Shape {
        what: "bits of a packed code".into(),
        found: code_bits.to_string(),
        expected: "1 to 16".into(),
    })
}

fn check_length(what: &str, found: usize, rows: usize, row_length: usize) -> Result<(), NumericsError> {
    if rows.checked_mul(row_length) == Some(found) {
        return Ok(());
    }
    Err(NumericsError::Shape {
        what: format!("length of {what}"),
        found: found.to_string(),
        expected: format!("{rows} rows of {row_length}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn four_bit_codes_fill_the_low_nibble_first_and_rows_start_at_bytes() {
        let packed = pack(&[0x1, 0x2, 0x3, 0xA, 0xB, 0xC], 2, 3, 4).unwrap();
        assert_eq!(packed, [0x21, 0x03, 0xBA, 0x0C]);
    }

    #[test]
    fn three_bit_codes_cross_bytes() {
        // The third code has its lower two bits in the first byte.
        let packed = pack(&[0b101, 0b010, 0b110, 0b001], 1, 4, 3).unwrap();
        assert_eq!(packed, [0b1001_0101, 0b0000_0011]);
    }

    #[test]
    fn sixteen_bit_codes_are_little_endian_words() {
        assert_eq!(pack(&[0x1234, 0xFFFE], 1, 2, 16).unwrap(), [0x34, 0x12, 0xFE, 0xFF]);
        assert_eq!(pack(&[0x7FF, 0x401], 1, 2, 11).unwrap(), [0xFF, 0x0F, 0x20]);
    }

    #[test]
    fn wrong_lengths_widths_codes_and_padding_are_refused() {
        assert!(pack(&[0; 5], 2, 3, 4).is_err());
        assert!(pack(&[0; 6], 2, 3, 0).is_err());
        assert!(pack(&[0; 6], 2, 3, 17).is_err());
        assert!(pack(&[0, 0, 0, 0, 16, 0], 2, 3, 4).unwrap_err().to_string().contains("row 1, column 1"));
        assert!(unpack(&[0; 3], 2, 3, 4).is_err());
        assert!(unpack(&[0x21, 0x13], 1, 3, 4).unwrap_err().to_string().contains("padding"));
        assert!(unpack(&[], usize::MAX, usize::MAX, 4).is_err());
        assert!(pack(&[], usize::MAX, usize::MAX, 4).is_err());
    }

    #[test]
    fn empty_matrices_are_empty() {
        assert!(pack(&[], 0, 7, 4).unwrap().is_empty());
        assert!(unpack(&[], 7, 0, 4).unwrap().is_empty());
        assert!(unpack(&[], 0, usize::MAX, 4).unwrap().is_empty());
    }
}
