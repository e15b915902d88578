//! Packing round trips at every width, against a bit-by-bit model.

use bitmosaic_numerics::packing::{pack, packed_row_bytes, unpack};
use proptest::prelude::*;

proptest! {
    #[test]
    fn packing_round_trips_and_places_every_bit(
        code_bits in 1u32..=16, rows in 0usize..5, columns in 0usize..40, seed in any::<[u16; 32]>()
    ) {
        let mask = u16::MAX >> (16 - code_bits);
        let codes: Vec<u16> = (0..rows * columns).map(|i| seed[i % 32].wrapping_mul((2 * i + 1) as u16) & mask).collect();
        let packed = pack(&codes, rows, columns, code_bits).unwrap();
        let row_bytes = packed_row_bytes(columns, code_bits);
        prop_assert_eq!(row_bytes, (columns * code_bits as usize).div_ceil(8));
        prop_assert_eq!(packed.len(), rows * row_bytes);
        let mut bits = vec![0u8; rows * row_bytes * 8];
        for (i, code) in codes.iter().enumerate() {
            for b in 0..code_bits as usize {
                bits[i / columns * row_bytes * 8 + i % columns * code_bits as usize + b] = (code >> b & 1) as u8;
            }
        }
        for (i, bit) in bits.iter().enumerate() {
            prop_assert_eq!(packed[i / 8] >> (i % 8) & 1, *bit);
        }
        prop_assert_eq!(unpack(&packed, rows, columns, code_bits).unwrap(), codes);
    }

    #[test]
    fn wrong_lengths_are_errors(code_bits in 1u32..=16, rows in 1usize..5, columns in 1usize..40, extra in 1usize..9) {
        prop_assert!(pack(&vec![0; rows * columns + extra], rows, columns, code_bits).is_err());
        prop_assert!(pack(&vec![0; (rows * columns).saturating_sub(extra)], rows, columns, code_bits).is_err());
        let bytes = rows * packed_row_bytes(columns, code_bits);
        prop_assert!(unpack(&vec![0; bytes + extra], rows, columns, code_bits).is_err());
        prop_assert!(unpack(&vec![0; bytes.saturating_sub(extra)], rows, columns, code_bits).is_err());
    }

    #[test]
    fn unpacking_any_bytes_never_panics(
        bytes in prop::collection::vec(any::<u8>(), 0..64), rows in any::<usize>(), columns in any::<usize>(), bits in 0u32..20
    ) {
        let _ = unpack(&bytes, rows, columns, bits);
        let _ = unpack(&bytes, rows % 8, columns % 64, bits);
    }
}
