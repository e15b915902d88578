//! Bit-serial terms. A weight value is a sum of digits: `value = Σ_k digit_k · 4^k`, digit in {0, ±1, ±2, ±4},
//! one digit a cycle, planes ascending. Each (type, digit set) has one canonical table that the processing element,
//! the term generator, the netlist and the host read.

use crate::{CodeValue, NumericsError, WeightType};

/// Largest number of digit planes, hence of terms per weight (8-bit types need 4).
pub const MAX_PLANES: usize = 4;
/// Bits of an encoded digit.
pub const DIGIT_BITS: u32 = 3;

/// One signed digit in {0, ±1, ±2, ±4}.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Digit(i8);

impl Digit {
    /// Digit set in canonical order of preference for equally short, equally low representations.
    pub const ALL: [Digit; 7] = [Digit(0), Digit(1), Digit(-1), Digit(2), Digit(-2), Digit(4), Digit(-4)];

    /// Numeric value.
    pub fn value(self) -> i32 {
        i32::from(self.0)
    }

    /// The three bits on the wires: bit 2 the sign, bits 1..0 the magnitude (0, 1, 2, 3 for 0, 1, 2, 4).
    pub fn encode(self) -> u8 {
        let magnitude = match self.0.unsigned_abs() {
            4 => 3,
            m => m,
        };
        u8::from(self.0 < 0) << 2 | magnitude
    }

    /// Inverse of [`Digit::encode`]; `-0` decodes to zero, as in the hardware.
    pub fn decode(bits: u8) -> Digit {
        let magnitude = [0, 1, 2, 4][usize::from(bits & 3)];
        Digit(if bits & 4 != 0 { -magnitude } else { magnitude })
    }
}

/// Largest value of `planes` digit planes, every digit 4: 4 · (4^planes - 1) / 3.
pub fn largest_value(planes: usize) -> u32 {
    (0..planes.min(MAX_PLANES) as u32).map(|k| 4 << (2 * k)).sum()
}

/// Digits of one value, plane k weighs 4^k.
pub type Digits = [Digit; MAX_PLANES];

/// The canonical representation of `value` in `planes` planes, if there is one: fewest non-zero digits, then non-zero
/// digits in the lowest planes, then the smaller digits first as ordered in [`Digit::ALL`], compared from plane 0.
pub fn canonical_digits(value: i32, planes: usize) -> Option<Digits> {
    let planes = planes.min(MAX_PLANES);
    // No sum of MAX_PLANES digits goes further; beyond it the search could overflow.
    if value.unsigned_abs() > 4 << (2 * MAX_PLANES) {
        return None;
    }
    let mut best: Option<(Key, Digits)> = None;
    let mut digits = Digits::default();
    search(value, 0, planes, &mut digits, &mut best);
    best.map(|(_, d)| d)
}

/// (non-zero digits, planes they occupy as a bit mask, preference per plane)
type Key = (u32, u32, [usize; MAX_PLANES]);

fn search(rest: i32, plane: usize, planes: usize, digits: &mut Digits, best: &mut Option<(Key, Digits)>) {
    if plane == planes {
        if rest == 0 {
            let mask = digits.iter().enumerate().filter(|(_, d)| d.0 != 0).fold(0, |m, (k, _)| m | 1 << k);
            let preference = digits.map(|d| Digit::ALL.iter().position(|a| *a == d).unwrap_or(0));
            let key = (u32::count_ones(mask), mask, preference);
            if best.as_ref().is_none_or(|(k, _)| key < *k) {
                *best = Some((key, *digits));
            }
        }
        return;
    }
    for digit in Digit::ALL {
        let remaining = rest - digit.value();
        if remaining % 4 == 0 {
            digits[plane] = digit;
            search(remaining / 4, plane + 1, planes, digits, best);
        }
    }
    digits[plane] = Digit::default();
}

/// The canonical digits of every code of a type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TermTable {
    /// Terms per weight = digit planes = cycles per weight.
    pub terms: usize,
    /// Code -> digits, 2^code_bits entries; `None` where the group's special value stands, or no weight has the code.
    pub digits: Vec<Option<Digits>>,
}

impl TermTable {
    /// Builds the table with the fewest planes that reach every value of the type, special candidates included.
    ///
    /// # Errors
    /// `NoTerms` if a value needs more than [`MAX_PLANES`] planes.
    pub fn new(weight_type: &WeightType) -> Result<TermTable, NumericsError> {
        let mut terms = 1;
        for value in weight_type.all_values() {
            while canonical_digits(value, terms).is_none() {
                terms += 1;
                if terms > MAX_PLANES {
                    let weight_type = weight_type.name.to_string();
                    return Err(NumericsError::NoTerms { weight_type, value, planes: MAX_PLANES });
                }
            }
        }
        let digits = weight_type.codes.iter().map(|code| match code {
            CodeValue::Value(v) => canonical_digits(*v, terms),
            CodeValue::Special | CodeValue::Unused => None,
        });
        Ok(TermTable { terms, digits: digits.collect() })
    }

    /// Digits of a special value in this table's number of planes; programmable values must fit them.
    ///
    /// # Errors
    /// `NoTerms` if the value needs more planes.
    pub fn special_digits(&self, weight_type: &WeightType, value: i32) -> Result<Digits, NumericsError> {
        canonical_digits(value, self.terms).ok_or_else(|| NumericsError::NoTerms {
            weight_type: weight_type.name.to_string(),
            value,
            planes: self.terms,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registry;

    fn sum(digits: &Digits) -> i32 {
        digits.iter().enumerate().map(|(k, d)| d.value() << (2 * k)).sum()
    }

    #[test]
    fn digits_of_every_type_and_code_sum_to_the_value() {
        let mut checked = 0;
        for t in registry() {
            let Ok(table) = TermTable::new(&t) else { continue };
            assert_eq!(table.digits.len(), 1 << t.code_bits, "{}", t.name);
            for special in t.special_values() {
                for code in (0..=u8::MAX).take(t.codes.len()) {
                    let Some(value) = t.value(code, special) else { continue };
                    let digits = match table.digits[usize::from(code)] {
                        Some(d) => d,
                        None => table.special_digits(&t, special).unwrap(),
                    };
                    assert_eq!(sum(&digits), value, "{} code {code}", t.name);
                    assert!(digits[table.terms..].iter().all(|d| d.value() == 0));
                    checked += 1;
                }
            }
        }
        assert_eq!(
            checked,
            // bitmod-fp4 and razer-fp4, int4, bitmod-fp3; int2 to int8 twice; small floats; flint; mx and nvfp4; ternary, binary.
            4 * (2 * 16
                + 8
                + 2 * (4 + 8 + 16 + 32 + 64 + 256)
                + (7 + 15 + 31 + 31 + 63)
                + (15 + 31)
                + (15 + 63 + 255 + 15)
                + (3 + 2))
        );
    }

    /// Terms of every type; 0 where a value needs more planes than there are. Plain FP3 needs one: the digits are its values.
    #[test]
    fn terms_per_weight() {
        let expected = [
            ("bitmod-fp4", 2),
            ("int4", 2),
            ("bitmod-fp3", 2),
            ("razer-fp4", 2),
            ("int2", 1),
            ("int3", 2),
            ("int5", 3),
            ("int6", 3),
            ("int8", 4),
            ("int2-asym", 1),
            ("int3-asym", 2),
            ("int4-asym", 2),
            ("int5-asym", 3),
            ("int6-asym", 3),
            ("int8-asym", 4),
            ("fp3", 1),
            ("fp4", 2),
            ("fp5-e2m2", 3),
            ("fp5-e3m1", 4),
            ("fp6-e2m3", 3),
            ("fp6-e3m2", 0),
            ("fp8-e4m3", 0),
            ("flint4", 2),
            ("flint5", 3),
            ("mx-fp4", 2),
            ("mx-fp6", 3),
            ("mx-fp8", 0),
            ("mx-int8", 4),
            ("nvfp4", 2),
            ("ternary", 1),
            ("binary", 1),
            ("nf4", 0),
        ];
        let found: Vec<_> =
            registry().iter().map(|t| (t.name, TermTable::new(t).map_or(0, |table| table.terms))).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn canonical_digits_are_the_shortest_then_the_lowest() {
        let digits = |v| canonical_digits(v, 2).unwrap().map(Digit::value);
        assert_eq!(digits(4), [4, 0, 0, 0]); // not 1·4
        assert_eq!(digits(3), [-1, 1, 0, 0]);
        assert_eq!(digits(12), [4, 2, 0, 0]); // not -4 + 4·4
        assert_eq!(digits(16), [0, 4, 0, 0]);
        assert_eq!(digits(20), [4, 4, 0, 0]);
        assert_eq!(canonical_digits(21, 2), None);
        assert_eq!(canonical_digits(i32::MAX, 4), None);
        assert_eq!(canonical_digits(i32::MIN, 4), None);
        // Exhaustive: no representation has fewer non-zero digits than the canonical one.
        for value in -340..=340 {
            let Some(best) = canonical_digits(value, 4) else { continue };
            let non_zero = |d: &[Digit]| d.iter().filter(|d| d.value() != 0).count();
            for code in 0..7usize.pow(4) {
                let candidate = [0, 1, 2, 3].map(|k| Digit::ALL[code / 7usize.pow(k) % 7]);
                if sum(&candidate) == value {
                    assert!(non_zero(&best) <= non_zero(&candidate), "{value}: {best:?} {candidate:?}");
                }
            }
        }
    }

    #[test]
    fn encoding_round_trips() {
        for digit in Digit::ALL {
            assert_eq!(Digit::decode(digit.encode()), digit);
        }
        assert_eq!(Digit::decode(0b100).value(), 0);
    }
}
