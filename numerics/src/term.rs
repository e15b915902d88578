//! Terms. A weight value is a sum of digits: `value = Σ_k digit_k · radix^k`, a digit of the machine's
//! [`DigitSet`], one digit a cycle; of a bit-parallel processing element a digit is the whole value, or half of it. Each (type, digit set) has one canonical table that the processing element, the term
//! generator, the netlist and the host read.

use crate::{CodeValue, NumericsError, WeightType};

/// Largest number of digit planes, hence of terms per weight (8-bit types need 4 of radix 4).
pub const MAX_PLANES: usize = 4;
/// Bits of a digit's place in a command; a digit of more bits takes two places.
pub const DIGIT_BITS: u32 = 4;

/// One signed digit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Digit(i8);

impl Digit {
    /// Numeric value.
    pub fn value(self) -> i32 {
        i32::from(self.0)
    }
}

/// Digits that a processing element multiplies by, and the weight of a digit plane.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum DigitSet {
    /// {0, ±1, ±2, ±4}, planes of 4^k: as many terms as the paper's digits for each of its types, without its widest shift.
    #[default]
    Radix4,
    /// {0, ±1, ±2, ±4, ±8}, planes of 4^k: the BitMoD paper's terms, whose exponent has two bits (HPCA 2025, section III).
    Paper,
    /// {0, ±1, ±2, ±3, ±4, ±6}, planes of 8^k: three times the activation comes from the row edge.
    Radix8,
    /// -16 to 15, planes of 16^k: a value in two's complement, four bits of it a plane and the rest, signed, in the last.
    Radix16,
    /// -128 to 127: the whole value at once, in two's complement.
    Whole,
    /// No digits: an FP16 weight as it is, in one term. It goes to the lanes as significand, exponent and sign.
    Fp16,
    /// 0 to ±7 times 1, 2, 4, 8 or 16, planes of 16^k: a significand and a shift, as the decoders of ANT (MICRO 2022) and OliVe
    /// (ISCA 2023) give them. On the wires a digit has the smallest shift with which its significand fits its bits, -8 to 7.
    Shifted,
}

/// Bits of the significand of a [`DigitSet::Shifted`] digit, two's complement; its shift stands above.
pub const SIGNIFICAND_BITS: u32 = 4;
/// Largest shift of a [`DigitSet::Shifted`] digit.
const LARGEST_SHIFT: u32 = 4;

impl DigitSet {
    /// Every set that has digits.
    pub const ALL: [DigitSet; 6] =
        [DigitSet::Radix4, DigitSet::Paper, DigitSet::Radix8, DigitSet::Radix16, DigitSet::Whole, DigitSet::Shifted];

    /// Whether digits are parts of a value in two's complement, and are so on the wires.
    pub fn is_twos_complement(self) -> bool {
        matches!(self, DigitSet::Radix16 | DigitSet::Whole)
    }

    /// Whether digits are a sign and the code of one of the few [`DigitSet::magnitudes`] on the wires, for lanes that select;
    /// the others are for lanes that multiply.
    pub fn is_sign_magnitude(self) -> bool {
        matches!(self, DigitSet::Radix4 | DigitSet::Paper | DigitSet::Radix8)
    }

    /// Magnitudes, ascending: the order of their codes on the wires, where they have codes. None of a set in two's complement.
    pub fn magnitudes(self) -> &'static [i8] {
        match self {
            DigitSet::Radix16 | DigitSet::Whole | DigitSet::Fp16 => &[],
            DigitSet::Radix4 => &[0, 1, 2, 4],
            DigitSet::Paper => &[0, 1, 2, 4, 8],
            DigitSet::Radix8 => &[0, 1, 2, 3, 4, 6],
            DigitSet::Shifted => {
                &[0, 1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 14, 16, 20, 24, 28, 32, 40, 48, 56, 64, 80, 96, 112]
            }
        }
    }

    /// Shift of a digit whose significand goes through a multiplier first: the smallest with which that fits its bits; 0 of the
    /// sets without shifts.
    pub fn shift(self, digit: Digit) -> u32 {
        let signed_bits = i8::BITS - digit.0.max(!digit.0).leading_zeros() + 1;
        if self == DigitSet::Shifted { signed_bits.saturating_sub(SIGNIFICAND_BITS) } else { 0 }
    }

    /// Bits of a digit on the wires: two's complement, or the shift above the significand, or the sign above the magnitude's code.
    pub fn bits(self) -> u32 {
        match self {
            DigitSet::Radix16 => 5,
            DigitSet::Whole => 8,
            DigitSet::Fp16 => 11 + 5 + 1,
            DigitSet::Shifted => SIGNIFICAND_BITS + u32::BITS - LARGEST_SHIFT.leading_zeros(),
            _ => self.magnitude_bits() + 1,
        }
    }

    /// Bits of the magnitude's code.
    pub fn magnitude_bits(self) -> u32 {
        usize::BITS - self.magnitudes().len().saturating_sub(1).leading_zeros()
    }

    /// Largest magnitude, of a negative digit.
    pub fn largest(self) -> u32 {
        if self.is_twos_complement() {
            return 1 << (self.bits() - 1);
        }
        self.magnitudes().iter().map(|m| m.unsigned_abs().into()).max().unwrap_or(0)
    }

    /// Plane k weighs 2^(k · radix_bits).
    pub fn radix_bits(self) -> u32 {
        match self {
            DigitSet::Radix4 | DigitSet::Paper => 2,
            DigitSet::Radix8 => 3,
            DigitSet::Radix16 | DigitSet::Shifted => 4,
            DigitSet::Whole => 8,
            DigitSet::Fp16 => 0,
        }
    }

    /// Most planes of a value: those whose digits have a place in a command, one where a digit is the value.
    pub fn max_planes(self) -> usize {
        match self {
            DigitSet::Whole | DigitSet::Fp16 => 1,
            _ => MAX_PLANES / self.places(),
        }
    }

    /// Places of [`DIGIT_BITS`] that a digit takes in a command.
    pub fn places(self) -> usize {
        if self == DigitSet::Fp16 {
            return 1; // no command has one
        }
        self.bits().div_ceil(DIGIT_BITS) as usize
    }

    /// A value's digits in the places of a command.
    pub fn to_places(self, digits: &Digits) -> [u8; MAX_PLANES] {
        let encoded = |place: usize| {
            let code = digits.get(place / self.places()).map_or(0, |digit| self.encode(*digit));
            code >> (DIGIT_BITS as usize * (place % self.places())) & ((1 << DIGIT_BITS) - 1)
        };
        std::array::from_fn(encoded)
    }

    /// Inverse of [`DigitSet::to_places`]: any bits are digits of the set.
    pub fn from_places(self, places: [u8; MAX_PLANES]) -> Digits {
        let code = |plane: usize| {
            let own = places.iter().skip(plane * self.places()).take(self.places());
            own.rev().fold(0, |code, place| code << DIGIT_BITS | place)
        };
        std::array::from_fn(|plane| self.decode(code(plane)))
    }

    /// The digits, by magnitude in the order of their codes, or ascending.
    pub fn digits(self) -> Vec<Digit> {
        if self.is_twos_complement() {
            let limit = self.largest() as i32;
            return (-limit..limit).map(|value| Digit(value as i8)).collect();
        }
        let signed = |m: &i8| if *m == 0 { vec![Digit(0)] } else { vec![Digit(*m), Digit(-m)] };
        self.magnitudes().iter().flat_map(signed).collect()
    }

    /// Place of the digit's magnitude in the canonical order: zero and powers of the radix first, each ascending.
    fn preference(self, digit: Digit) -> (bool, u8) {
        let magnitude = digit.0.unsigned_abs();
        let first =
            magnitude == 0 || magnitude.is_power_of_two() && magnitude.ilog2().is_multiple_of(self.radix_bits());
        (!first, magnitude)
    }

    /// The digit's bits on the wires; 0 for a digit that the set has not.
    pub fn encode(self, digit: Digit) -> u8 {
        if self.is_twos_complement() {
            return digit.0 as u8 & (u8::MAX >> (u8::BITS - self.bits()));
        }
        if self == DigitSet::Shifted {
            let shift = self.shift(digit);
            let significand = (digit.0 >> shift) as u8 & ((1 << SIGNIFICAND_BITS) - 1);
            let is_there = self.magnitudes().iter().any(|m| m.unsigned_abs() == digit.0.unsigned_abs());
            return if is_there { significand | (shift as u8) << SIGNIFICAND_BITS } else { 0 };
        }
        let magnitude = self.magnitudes().iter().position(|m| m.unsigned_abs() == digit.0.unsigned_abs()).unwrap_or(0);
        u8::from(digit.0 < 0) << self.magnitude_bits() | magnitude as u8
    }

    /// Inverse of [`DigitSet::encode`]; `-0` and codes without a magnitude decode to zero, shifts beyond the largest are that.
    pub fn decode(self, bits: u8) -> Digit {
        if self.is_twos_complement() {
            let above = u8::BITS - self.bits();
            return Digit((bits << above) as i8 >> above);
        }
        if self == DigitSet::Shifted {
            let above = u8::BITS - SIGNIFICAND_BITS;
            let significand = (bits << above) as i8 >> above;
            let shift = u32::from(bits >> SIGNIFICAND_BITS) & ((1 << (self.bits() - SIGNIFICAND_BITS)) - 1);
            return Digit(significand << shift.min(LARGEST_SHIFT));
        }
        let code = bits & ((1 << self.magnitude_bits()) - 1);
        let magnitude = self.magnitudes().get(usize::from(code)).copied().unwrap_or(0);
        Digit(if bits >> self.magnitude_bits() & 1 == 1 { -magnitude } else { magnitude })
    }

    /// Largest magnitude of a value of `planes` digit planes; in two's complement that of a negative one.
    pub fn largest_value(self, planes: usize) -> u32 {
        let planes = planes.min(self.max_planes()) as u32;
        if self.is_twos_complement() {
            return planes.checked_sub(1).map_or(0, |below| self.largest() << (self.radix_bits() * below));
        }
        (0..planes).map(|k| self.largest() << (self.radix_bits() * k)).sum()
    }

    /// The canonical representation of `value` in `planes` planes, if there is one: fewest non-zero digits, then non-zero
    /// digits in the lowest planes, then from the highest plane down the magnitude that comes first in the order 0, powers of
    /// the radix, others. That leaves one, and of `-value` its negative. In two's complement: the bits of the value. Of digits
    /// with shifts the largest shift comes first, the smaller the better: a lane's shifter is built for it.
    pub fn canonical_digits(self, value: i64, planes: usize) -> Option<Digits> {
        // No sum of digits goes further; beyond it the search could overflow.
        if value.unsigned_abs() > self.largest_value(planes).into() {
            return None;
        }
        if self.is_twos_complement() {
            return self.slices(value as i32, planes.min(self.max_planes()));
        }
        let mut search = Search { set: self, all: self.digits(), digits: Digits::default(), best: None };
        search.plane(value as i32, 0, planes.min(self.max_planes()));
        search.best.map(|(_, d)| d)
    }

    /// The bits of a value in two's complement: the last plane takes what is left, with its sign.
    fn slices(self, value: i32, planes: usize) -> Option<Digits> {
        let (last, radix_bits) = (planes.checked_sub(1)?, self.radix_bits() as usize);
        let limit = self.largest() as i32;
        let top = value >> (radix_bits * last);
        if !(-limit..limit).contains(&top) {
            return None;
        }
        let below = |plane: usize| value >> (radix_bits * plane) & ((1 << radix_bits) - 1);
        Some(std::array::from_fn(|plane| match plane {
            _ if plane < last => Digit(below(plane) as i8),
            _ if plane == last => Digit(top as i8),
            _ => Digit::default(),
        }))
    }
}

impl std::fmt::Display for DigitSet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if *self == DigitSet::Fp16 {
            return write!(f, "FP16 numbers");
        }
        if self.is_twos_complement() {
            return write!(f, "{{{} to {}}}", -i64::from(self.largest()), self.largest() - 1);
        }
        if *self == DigitSet::Shifted {
            let significand = (1 << (SIGNIFICAND_BITS - 1)) - 1;
            return write!(f, "{{0 to ±{significand}, times up to {}}}", 1 << LARGEST_SHIFT);
        }
        let signed = self.magnitudes()[1..].iter().map(|m| format!(", ±{m}"));
        write!(f, "{{0{}}}", signed.collect::<String>())
    }
}

/// Digits of one value, lowest plane first.
pub type Digits = [Digit; MAX_PLANES];

/// (largest shift, non-zero digits, planes they occupy as a bit mask, preference per plane, the highest first)
type Key = (u32, u32, u32, [(bool, u8); MAX_PLANES]);

struct Search {
    set: DigitSet,
    all: Vec<Digit>,
    digits: Digits,
    best: Option<(Key, Digits)>,
}

impl Search {
    fn plane(&mut self, rest: i32, plane: usize, planes: usize) {
        if plane == planes {
            if rest == 0 {
                let occupied = self.digits.iter().enumerate().filter(|(_, d)| d.0 != 0);
                let mask = occupied.fold(0, |m, (k, _)| m | 1 << k);
                let mut preference = self.digits.map(|d| self.set.preference(d));
                preference.reverse();
                let shift = self.digits.iter().map(|d| self.set.shift(*d)).max().unwrap_or(0);
                let key = (shift, u32::count_ones(mask), mask, preference);
                if self.best.as_ref().is_none_or(|(k, _)| key < *k) {
                    self.best = Some((key, self.digits));
                }
            }
            return;
        }
        for index in 0..self.all.len() {
            let remaining = rest - self.all[index].value();
            let radix = 1 << self.set.radix_bits();
            if remaining % radix == 0 {
                self.digits[plane] = self.all[index];
                self.plane(remaining / radix, plane + 1, planes);
            }
        }
        self.digits[plane] = Digit::default();
    }
}

/// The canonical digits of every code of a type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TermTable {
    /// The digits.
    pub digit_set: DigitSet,
    /// Terms per weight = digit planes = cycles per weight.
    pub terms: usize,
    /// [`TermTable::place`] -> digits; `None` where the group's special value stands, or no weight has the code. An entry a code,
    /// 2^code_bits; of a type whose weights stand in pairs as many again, for codes beside a victim. No entries under
    /// [`DigitSet::Fp16`].
    pub digits: Vec<Option<Digits>>,
    /// Code of victims, for types whose weights stand in pairs.
    pub victim: Option<u16>,
}

impl TermTable {
    /// Builds the table with the fewest planes that reach every value of the type, special candidates included.
    ///
    /// # Errors
    /// `NoTerms` if a value needs more planes than [`DigitSet::max_planes`], `NotFp16` for a type other than FP16 under [`DigitSet::Fp16`].
    pub fn new(weight_type: &WeightType, digit_set: DigitSet) -> Result<TermTable, NumericsError> {
        if digit_set == DigitSet::Fp16 {
            let not_fp16 = || NumericsError::NotFp16 { weight_type: weight_type.name.to_string() };
            return weight_type
                .is_fp16()
                .then_some(TermTable { digit_set, terms: 1, digits: vec![], victim: None })
                .ok_or_else(not_fp16);
        }
        let mut terms = 1;
        for value in weight_type.all_values() {
            while digit_set.canonical_digits(value, terms).is_none() {
                terms += 1;
                if terms > digit_set.max_planes() {
                    let (weight_type, planes) = (weight_type.name.to_string(), digit_set.max_planes());
                    return Err(NumericsError::NoTerms { weight_type, value, planes, digit_set });
                }
            }
        }
        let victim = weight_type.victim_code();
        let of = |(code, neighbour): (u16, Option<u16>)| match weight_type.codes[usize::from(code)] {
            CodeValue::Special | CodeValue::Unused => None,
            _ => digit_set.canonical_digits(weight_type.value_beside(code, neighbour, 0)?, terms),
        };
        let codes = |neighbour| (0..=u16::MAX).take(weight_type.codes.len()).map(move |code| (code, neighbour));
        let digits = codes(None).chain(victim.into_iter().flat_map(|_| codes(victim))).map(of).collect();
        Ok(TermTable { digit_set, terms, digits, victim })
    }

    /// Place of a code in [`TermTable::digits`]. `neighbour` is the code of the other weight of its pair, if it has one: weights
    /// `2i` and `2i + 1` of a group are a pair, which matters to types with victims alone.
    pub fn place(&self, code: u16, neighbour: Option<u16>) -> usize {
        let beside_victim = self.victim.is_some() && neighbour == self.victim;
        usize::from(code) + if beside_victim { self.digits.len() / 2 } else { 0 }
    }

    /// Digits of a code beside `neighbour` ([`TermTable::place`]), those of the group's special value where it stands for that.
    pub fn digits_of(&self, code: u16, neighbour: Option<u16>, special: &Digits) -> Digits {
        self.digits.get(self.place(code, neighbour)).copied().flatten().unwrap_or(*special)
    }

    /// Digits of a special value in this table's number of planes; programmable values must fit them.
    ///
    /// # Errors
    /// `NoTerms` if the value needs more planes.
    pub fn special_digits(&self, weight_type: &WeightType, value: i32) -> Result<Digits, NumericsError> {
        self.digit_set.canonical_digits(value.into(), self.terms).ok_or_else(|| NumericsError::NoTerms {
            weight_type: weight_type.name.to_string(),
            value: value.into(),
            planes: self.terms,
            digit_set: self.digit_set,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registry;

    fn sum(set: DigitSet, digits: &Digits) -> i64 {
        digits.iter().enumerate().map(|(k, d)| i64::from(d.value()) << (set.radix_bits() as usize * k)).sum()
    }

    #[test]
    fn digits_of_every_type_and_code_sum_to_the_value() {
        let mut checked = 0;
        for (t, set) in registry().into_iter().flat_map(|t| DigitSet::ALL.map(|set| (t.clone(), set))) {
            let Ok(table) = TermTable::new(&t, set) else { continue };
            let pairs = t.victim_code().is_some();
            assert_eq!(table.digits.len(), if pairs { 2 } else { 1 } << t.code_bits, "{}", t.name);
            let codes = || (0..=u16::MAX).take(t.codes.len());
            for special in t.special_values() {
                let special_digits = table.special_digits(&t, special).unwrap();
                // Beside nothing, and, where that matters, beside every code.
                let neighbours = || std::iter::once(None).chain(codes().filter(|_| pairs).map(Some));
                for (code, neighbour) in codes().flat_map(|code| neighbours().map(move |n| (code, n))) {
                    let Some(value) = t.value_beside(code, neighbour, special) else { continue };
                    let digits = table.digits_of(code, neighbour, &special_digits);
                    assert_eq!(sum(set, &digits), value, "{} code {code} beside {neighbour:?}", t.name);
                    assert!(digits.iter().all(|d| set.digits().contains(d)));
                    assert!(digits[table.terms..].iter().all(|d| d.value() == 0));
                    checked += u32::from(set == DigitSet::Radix4);
                }
            }
        }
        assert_eq!(
            checked,
            // bitmod-fp4 and razer-fp4, int4, bitmod-fp3; int2 to int8 twice; small floats; flint; mx and nvfp4; ternary, binary;
            // codes of olive4 alone and in pairs.
            4 * (2 * 16
                + 8
                + 2 * (4 + 8 + 16 + 32 + 64 + 128 + 256)
                + (7 + 15 + 31 + 31 + 63)
                + (15 + 31)
                + (15 + 63 + 255 + 15)
                + (3 + 2)
                + (16 + 16 * 16))
        );
    }

    fn terms(t: &WeightType, set: DigitSet) -> usize {
        TermTable::new(t, set).map_or(0, |table| table.terms)
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
            ("int7", 4),
            ("int8", 4),
            ("int2-asym", 1),
            ("int3-asym", 2),
            ("int4-asym", 2),
            ("int5-asym", 3),
            ("int6-asym", 3),
            ("int7-asym", 4),
            ("int8-asym", 4),
            ("fp3", 1),
            ("fp4", 2),
            ("fp5-e2m2", 3),
            ("fp5-e3m1", 4),
            ("fp6-e2m3", 3),
            ("fp6-e3m2", 0),
            ("fp8-e4m3", 0),
            ("fp8-e5m2", 0),
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
            ("olive4", 4),
            ("fp16", 0),
        ];
        let found: Vec<_> = registry().iter().map(|t| (t.name, terms(t, DigitSet::Radix4))).collect();
        assert_eq!(found, expected);
        // The paper's widest digit saves no term for any of the paper's types.
        for name in ["fp3", "bitmod-fp3", "fp4", "bitmod-fp4", "int3", "int4", "int6", "int8"] {
            let t = crate::weight_type(name).unwrap();
            assert_eq!(terms(&t, DigitSet::Radix4), terms(&t, DigitSet::Paper), "{name}");
        }
        let radix8 = ["fp3", "bitmod-fp3", "fp4", "bitmod-fp4", "int4", "int6", "int8"]
            .map(|name| terms(&crate::weight_type(name).unwrap(), DigitSet::Radix8));
        assert_eq!(radix8, [1, 1, 2, 2, 2, 2, 3]);
        // The special value 16 of bitmod-fp4 (its 8) is the one that four bits and a sign do not hold.
        let halves = ["int4", "fp4", "bitmod-fp3", "int5", "bitmod-fp4", "int6", "int8", "int8-asym", "mx-fp6"]
            .map(|name| terms(&crate::weight_type(name).unwrap(), DigitSet::Radix16));
        assert_eq!(halves, [1, 1, 1, 1, 2, 2, 2, 2, 2]);
        let whole = ["int4", "bitmod-fp4", "int8", "int8-asym", "flint5", "mx-int8", "fp6-e3m2", "nf4"]
            .map(|name| terms(&crate::weight_type(name).unwrap(), DigitSet::Whole));
        assert_eq!(whole, [1, 1, 1, 1, 1, 1, 0, 0]);
        for t in registry() {
            assert_eq!(terms(&t, DigitSet::Fp16), usize::from(t.name == "fp16"), "{}", t.name);
        }
        let olive4 = crate::weight_type("olive4").unwrap();
        assert_eq!(DigitSet::ALL.map(|set| terms(&olive4, set)), [4, 3, 3, 2, 1, 1]);
        let shifted =
            ["int4", "int4-asym", "flint4", "flint5", "bitmod-fp4", "fp5-e3m1", "int5", "int8", "int8-asym", "nf4"]
                .map(|name| terms(&crate::weight_type(name).unwrap(), DigitSet::Shifted));
        assert_eq!(shifted, [1, 1, 1, 1, 1, 2, 2, 2, 2, 0]);
    }

    #[test]
    fn shifted_digits_are_a_significand_of_four_bits_and_the_smallest_shift() {
        let set = DigitSet::Shifted;
        let split = |value: i8| (i32::from(value >> set.shift(Digit(value))), set.shift(Digit(value)));
        let expected =
            [(7, (7, 0)), (-7, (-7, 0)), (8, (4, 1)), (-8, (-8, 0)), (16, (4, 2)), (-16, (-8, 1)), (96, (6, 4))];
        expected.iter().for_each(|(value, parts)| assert_eq!(split(*value), *parts, "{value}"));
        // Every product of a significand and a shift, and nothing else.
        let products = |shift: u32| (-7..=7).map(move |significand: i32| significand << shift);
        let mut values: Vec<i32> = (0..=LARGEST_SHIFT).flat_map(products).collect();
        values.sort_unstable();
        values.dedup();
        let mut digits: Vec<i32> = set.digits().iter().map(|d| d.value()).collect();
        digits.sort_unstable();
        assert_eq!(digits, values);
        for digit in set.digits() {
            let (significand, shift) = split(digit.0);
            assert!((-8..=7).contains(&significand), "{digit:?}");
            assert!(shift == 0 || !(-8..=7).contains(&(2 * significand)), "{digit:?}");
            assert_eq!(significand << shift, digit.value());
            let code = set.encode(digit);
            assert_eq!(i32::from(((code << 4) as i8) >> 4), significand);
            assert_eq!(u32::from(code >> 4), shift);
        }
        // 9 has no such parts, -128 no negative; shifts behind the largest are that.
        assert_eq!([9, 17, 127, -128].map(|value| set.encode(Digit(value))), [0; 4]);
        assert_eq!(set.decode(5 << 4 | 3), set.decode(4 << 4 | 3));
        let digits = |value| set.canonical_digits(value, 2).map(|d| [d[0], d[1]].map(Digit::value));
        assert_eq!([127, -128, 9, 8].map(digits), [Some([-1, 8]), Some([0, -8]), Some([-7, 1]), Some([-8, 1])]);
        // Exhaustive: no representation has a smaller largest shift than the canonical one.
        let largest = |digits: &Digits| digits.iter().map(|d| set.shift(*d)).max();
        let none = Digit::default();
        for candidate in set.digits().iter().flat_map(|a| set.digits().into_iter().map(|b| [*a, b, none, none])) {
            let value = sum(set, &candidate);
            let best = set.canonical_digits(value, 2).unwrap();
            assert_eq!(sum(set, &best), value);
            assert!(largest(&best) <= largest(&candidate), "{value}: {best:?} {candidate:?}");
        }
    }

    #[test]
    fn digits_in_twos_complement_are_the_bits_of_the_value() {
        let digits = |set: DigitSet, value, planes| set.canonical_digits(value, planes).map(|d| d.map(Digit::value));
        assert_eq!(digits(DigitSet::Whole, -128, 1), Some([-128, 0, 0, 0]));
        assert_eq!([128, -129].map(|v| digits(DigitSet::Whole, v, 4)), [None, None]);
        assert_eq!(digits(DigitSet::Radix16, -1, 1), Some([-1, 0, 0, 0]));
        assert_eq!(digits(DigitSet::Radix16, -1, 2), Some([15, -1, 0, 0]));
        assert_eq!(digits(DigitSet::Radix16, -256, 2), Some([0, -16, 0, 0]));
        assert_eq!([16, -17].map(|v| digits(DigitSet::Radix16, v, 1)), [None, None]);
        assert_eq!([256, -257].map(|v| digits(DigitSet::Radix16, v, 4)), [None, None]);
        for (set, planes) in [(DigitSet::Whole, 1), (DigitSet::Radix16, 1), (DigitSet::Radix16, 2)] {
            let limit = i64::from(set.largest_value(planes));
            for value in -limit..limit {
                let digits = set.canonical_digits(value, planes).unwrap();
                assert_eq!(sum(set, &digits), value);
                assert_eq!(set.from_places(set.to_places(&digits)), digits);
            }
        }
    }

    #[test]
    fn canonical_digits_are_the_shortest_then_the_lowest() {
        let set = DigitSet::Radix4;
        let digits = |v| set.canonical_digits(v, 2).unwrap().map(Digit::value);
        assert_eq!(digits(4), [4, 0, 0, 0]); // not 1·4
        assert_eq!(digits(3), [-1, 1, 0, 0]);
        assert_eq!(digits(12), [-4, 4, 0, 0]); // not 4 + 2·4
        assert_eq!(digits(6), [2, 1, 0, 0]); // not -2 + 2·4
        assert_eq!(digits(16), [0, 4, 0, 0]);
        assert_eq!(digits(20), [4, 4, 0, 0]);
        assert_eq!(set.canonical_digits(21, 2), None);
        assert_eq!(set.canonical_digits(i64::MAX, 4), None);
        assert_eq!(set.canonical_digits(i64::MIN, 4), None);
        // Exhaustive: no representation has fewer non-zero digits than the canonical one.
        let non_zero = |d: &[Digit]| d.iter().filter(|d| d.value() != 0).count();
        for set in DigitSet::ALL.into_iter().filter(|set| set.is_sign_magnitude()) {
            let all = set.digits();
            let count = all.len();
            for code in 0..count.pow(3) {
                let digit = |k: u32| if k < 3 { all[code / count.pow(k) % count] } else { Digit::default() };
                let candidate = [0, 1, 2, 3].map(digit);
                let value = sum(set, &candidate);
                let best = set.canonical_digits(value, 3).unwrap();
                assert_eq!(sum(set, &best), value);
                assert_eq!(set.canonical_digits(-value, 3), Some(best.map(|d| Digit(-d.0))));
                assert!(non_zero(&best) <= non_zero(&candidate), "{value}: {best:?} {candidate:?}");
            }
        }
    }

    #[test]
    fn encoding_round_trips() {
        for set in DigitSet::ALL {
            assert!(set.bits() as usize * set.max_planes() <= DIGIT_BITS as usize * MAX_PLANES);
            for digit in set.digits() {
                assert_eq!(set.decode(set.encode(digit)), digit);
                let digits: Digits = std::array::from_fn(|k| if k < set.max_planes() { digit } else { Digit(0) });
                assert_eq!(set.from_places(set.to_places(&digits)), digits);
            }
            if set.is_sign_magnitude() {
                assert_eq!(set.decode(1 << set.magnitude_bits()).value(), 0);
            }
        }
        assert_eq!(DigitSet::Radix8.digits().iter().map(|d| d.value()).max(), Some(6));
        // Nothing in a command is a digit of FP16 numbers.
        let none = DigitSet::Fp16.from_places([15, 7, 1, 8]);
        assert_eq!((none, DigitSet::Fp16.to_places(&none)), (Digits::default(), [0; MAX_PLANES]));
    }
}
