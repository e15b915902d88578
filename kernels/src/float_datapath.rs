//! The `bit-serial-float` machine as plain mathematics: the processing element of the BitMoD paper (HPCA 2025, section
//! IV) made correct, its exponents aligned anew every cycle. The numbers are those of a prototype measured before ("A2": no
//! normalizer in the loop); every width is a parameter. Per (token, output channel), group by group:
//! 1. each cycle takes `lanes` input channels in one digit plane k. A lane's product is significand · digit with exponent
//!    `activation exponent + log2 |digit|`; lanes whose product is zero do not take part in the largest exponent X;
//! 2. each lane's 11-bit significand, with `guard_bits` zeros below, is shifted right by its distance to X and truncated;
//!    the lanes are summed in two's complement;
//! 3. the sum, with `accumulator_guard_bits` zeros below and exponent X + 2k, meets the group accumulator, which has an
//!    exponent of its own: the one with the smaller exponent is shifted right and rounded half up, the larger exponent stays;
//! 4. after the group the accumulator is multiplied by the scale code (bit-serially in the hardware, hence exactly), rounded
//!    once to binary32 and added to the column's accumulator; the output stage is that of [`crate::datapath`].

use bitmosaic_numerics::exact::power_of_two;
use bitmosaic_numerics::fp16::{CANONICAL_NAN, decode};
use bitmosaic_numerics::term::Digits;
use bitmosaic_numerics::{DigitSet, QuantizedMatrix, ScaleKind, TermTable, f16};

use crate::KernelError;
use crate::datapath::{accumulate, output};
use crate::operands::{check_lanes, map_output_channels, non_finite_tokens, row_scales, tokens};

/// Parameters of the machine that its results depend on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FloatDatapath {
    /// Input channels per cycle, a power of two.
    pub lanes: usize,
    /// Bits kept below an 11-bit significand when it is aligned to the largest of its cycle (the paper: 3).
    pub guard_bits: u32,
    /// Bits kept below a cycle's sum in the group accumulator.
    pub accumulator_guard_bits: u32,
}

impl FloatDatapath {
    /// The paper's processing element: 4 lanes, 3 guard bits; 2 below the accumulator.
    pub const BITMOD: FloatDatapath = FloatDatapath { lanes: 4, guard_bits: 3, accumulator_guard_bits: 2 };

    /// Outputs `[tokens, output_channels]` of activations `[tokens, input_channels]`, as the machine gives them.
    ///
    /// # Errors
    /// `Matrix` or `Shape` for operands that do not fit, among them a group that is no multiple of the lanes and a weight
    /// type or special value without digits; `TooWide` if the accumulator would not fit 62 bits.
    pub fn outputs(&self, activations: &[f16], weights: &QuantizedMatrix) -> Result<Vec<f16>, KernelError> {
        let tokens = tokens(activations, weights)?;
        let digits = self.check(weights)?;
        let non_finite = non_finite_tokens(activations, weights.input_channels);
        let fraction_bits = weights.weight_type.fraction_bits;
        Ok(map_output_channels(tokens, weights.output_channels, |output_channel| {
            let row = output_channel * weights.input_channels..(output_channel + 1) * weights.input_channels;
            let codes = weights.codes[row].chunks(weights.group);
            let groups = weights.groups();
            let selectors = &weights.selectors[output_channel * groups..(output_channel + 1) * groups];
            let of_group = |(codes, selector): (&[u16], &u8)| -> Vec<Digits> {
                (0..codes.len()).map(|k| digits.of(digits.place(codes, k), *selector)).collect()
            };
            let row_digits: Vec<Vec<Digits>> = codes.zip(selectors).map(of_group).collect();
            let scales = row_scales(weights, output_channel);
            let channel_scale = weights.channel_scales[output_channel];
            let one_token = |(token, non_finite): (&[f16], &bool)| {
                if *non_finite {
                    return f16::from_bits(CANONICAL_NAN);
                }
                let mut sum = 0f32;
                for ((activations, row), scale) in token.chunks(weights.group).zip(&row_digits).zip(&scales) {
                    let group = self.group_sum(activations, row, digits.terms());
                    sum = accumulate(sum, self.scaled_sum(group, scale.significand));
                }
                output(sum, channel_scale, fraction_bits)
            };
            activations.chunks(weights.input_channels).zip(&non_finite).map(one_token).collect()
        }))
    }

    /// The digits of these weights, if the machine executes them.
    pub(crate) fn check(&self, weights: &QuantizedMatrix) -> Result<CodeDigits, KernelError> {
        check_lanes(weights, self.lanes)?;
        if weights.weight_type.has_zero_point() || weights.scale_kind != ScaleKind::Int8 {
            return Err(KernelError::Shape {
                what: "weights of the float datapath",
                found: format!("{} with {} group scales", weights.weight_type.name, weights.scale_kind.name()),
                expected: "no zero points, 8-bit integer group scales: it has no place for others".into(),
            });
        }
        let table = TermTable::new(&weights.weight_type, DigitSet::Radix4)?;
        let special = weights.special_values.iter().filter(|_| weights.weight_type.special.is_some());
        let mut special: Vec<Digits> =
            special.map(|v| table.special_digits(&weights.weight_type, *v)).collect::<Result<_, _>>()?;
        if special.is_empty() {
            special.push(Digits::default());
        }
        let bits = self.accumulator_bits(weights.group, table.terms);
        if bits + u8::BITS > 62 {
            return Err(KernelError::TooWide { what: "the group accumulator times its scale code", bits, limit: 54 });
        }
        Ok(CodeDigits { table, special })
    }

    /// Bits of the group accumulator, sign included: an aligned significand, the lanes, the bits below, and one addition a
    /// cycle, of which none can be larger than the first.
    pub fn accumulator_bits(&self, group: usize, terms: usize) -> u32 {
        let log2 = |n: usize| usize::BITS - n.saturating_sub(1).leading_zeros();
        let steps = group / self.lanes * terms;
        11 + self.guard_bits + log2(self.lanes) + self.accumulator_guard_bits + log2(steps) + 1
    }

    /// The group accumulator after the last cycle of a group.
    pub fn group_sum(&self, activations: &[f16], digits: &[Digits], terms: usize) -> GroupSum {
        let mut sum = GroupSum::default();
        for (activations, digits) in activations.chunks(self.lanes).zip(digits.chunks(self.lanes)) {
            for plane in 0..terms {
                sum = self.step(sum, activations, digits, plane);
            }
        }
        sum
    }

    fn step(&self, sum: GroupSum, activations: &[f16], digits: &[Digits], plane: usize) -> GroupSum {
        // (signed significand, exponent) of the lanes with a product that is not zero.
        let lanes: Vec<(i64, u32)> = activations
            .iter()
            .zip(digits)
            .filter_map(|(activation, digits)| {
                let (decoded, digit) = (decode(*activation), digits[plane].value());
                let product = i64::from(decoded.significand) * i64::from(digit.signum());
                (product != 0).then(|| (product, decoded.exponent + digit.unsigned_abs().trailing_zeros()))
            })
            .collect();
        add_cycle(sum, &lanes, [self.guard_bits, self.accumulator_guard_bits], 2 * plane as u32)
    }

    /// `fl32(significand · scale code · 2^(exponent - 25 - guards))`: exact product, one rounding.
    pub fn scaled_sum(&self, sum: GroupSum, scale_code: u32) -> f32 {
        let unit = sum.exponent as i32 - 25 - (self.guard_bits + self.accumulator_guard_bits) as i32;
        (sum.significand * i64::from(scale_code)) as f32 * power_of_two(unit) as f32
    }
}

/// Adds the products of a cycle, those that are not zero, as (signed significand, exponent): aligned to the largest exponent with
/// `guard_bits` below, truncated, summed and, with `accumulator_guard_bits` below and `weight` above the exponent, added.
pub(crate) fn add_cycle(
    sum: GroupSum,
    products: &[(i64, u32)],
    [guard_bits, accumulator_guard_bits]: [u32; 2],
    weight: u32,
) -> GroupSum {
    let Some(largest) = products.iter().map(|(_, exponent)| *exponent).max() else { return sum };
    let aligned = products.iter().map(|(product, exponent)| {
        let magnitude = (product.unsigned_abs() << guard_bits) >> (largest - exponent).min(63);
        product.signum() * magnitude as i64
    });
    let addend = GroupSum { significand: aligned.sum::<i64>() << accumulator_guard_bits, exponent: largest + weight };
    let exponent = addend.exponent.max(sum.exponent);
    let shifted = |x: GroupSum| shift_right_half_up(x.significand, exponent - x.exponent);
    GroupSum { significand: shifted(sum) + shifted(addend), exponent }
}

/// Digits of every code of a matrix.
pub(crate) struct CodeDigits {
    table: TermTable,
    /// Those of the special values, by selector; at least one.
    special: Vec<Digits>,
}

impl CodeDigits {
    /// Places of the table.
    pub(crate) fn places(&self) -> usize {
        self.table.digits.len()
    }

    /// Place in the table of weight `k` of a group's codes.
    pub(crate) fn place(&self, codes: &[u16], k: usize) -> usize {
        self.table.place(codes[k], codes.get(k ^ 1).copied())
    }

    /// Digits of a place in a group of this selector.
    pub(crate) fn of(&self, place: usize, selector: u8) -> Digits {
        self.table.digits[place].unwrap_or(self.special[usize::from(selector) % self.special.len()])
    }

    /// Terms per weight.
    pub(crate) fn terms(&self) -> usize {
        self.table.terms
    }

    /// Selectors that differ.
    pub(crate) fn selectors(&self) -> usize {
        self.special.len()
    }
}

/// A group accumulator: `significand · 2^(exponent - 25 - guard bits)`, of an FP16 datapath in the unit that its `group_sum` names;
/// exponent 0 only before the first product.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct GroupSum {
    /// Two's complement significand.
    pub significand: i64,
    /// Biased exponent, up to 31 + 2 + 2·3, or 60.
    pub exponent: u32,
}

/// Arithmetic right shift that adds the highest bit lost.
fn shift_right_half_up(value: i64, amount: u32) -> i64 {
    match amount {
        0 => value,
        1..=62 => (value >> amount) + (value >> (amount - 1) & 1),
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bitmosaic_numerics::weight_type;

    fn sum(pairs: &[(f32, i64)]) -> GroupSum {
        let activations: Vec<f16> = pairs.iter().map(|(a, _)| f16::from_f32(*a)).collect();
        let digits: Vec<Digits> =
            pairs.iter().map(|(_, v)| DigitSet::Radix4.canonical_digits(*v, 2).unwrap()).collect();
        FloatDatapath::BITMOD.group_sum(&activations, &digits, 2)
    }

    #[test]
    fn group_sums_by_hand() {
        // 1.0 · 1: significand 1024, 3 + 2 bits below, exponent 15.
        assert_eq!(sum(&[(1.0, 1)]), GroupSum { significand: 1024 << 5, exponent: 15 });
        // 1.0 · 4 is a digit of plane 0 with exponent + 2; 1.0 · 8 = 2·4 in plane 1.
        assert_eq!(sum(&[(1.0, 4)]), GroupSum { significand: 1024 << 5, exponent: 17 });
        assert_eq!(sum(&[(1.0, 8)]), GroupSum { significand: 1024 << 5, exponent: 18 });
        // 3 = -1 + 4: the first term is shifted by two when the second arrives.
        assert_eq!(sum(&[(1.0, 3)]), GroupSum { significand: (1024 << 5) - (1024 << 3), exponent: 17 });
        // A zero activation or digit does not raise the exponent.
        assert_eq!(
            sum(&[(0.0, 6), (1.0, 1), (60000.0, 0), (1.0, 0)]),
            GroupSum { significand: 1024 << 5, exponent: 15 }
        );
        // A lane 14 exponents below the largest loses all its bits, one 13 below keeps its highest.
        assert_eq!(sum(&[(16384.0, 1), (1.0, 1)]).significand, 1024 << 5);
        assert_eq!(sum(&[(8192.0, 1), (1.0, 1)]).significand, (1024 << 5) + (1 << 2));
        // Subnormals: exponent 1, no hidden bit.
        assert_eq!(sum(&[(5.9604645e-8, 1)]), GroupSum { significand: 1 << 5, exponent: 1 });
    }

    #[test]
    fn halves_round_up() {
        assert_eq!([5, 6, 7, -5, -6, -7].map(|v| shift_right_half_up(v, 2)), [1, 2, 2, -1, -1, -2]);
        assert_eq!(shift_right_half_up(-1, 62), 0);
        assert_eq!(shift_right_half_up(i64::MAX, 63), 0);
    }

    #[test]
    fn the_accumulator_holds_every_sum() {
        // All maximum and of one sign: nothing is shifted away, every cycle adds the most.
        let fp4 = weight_type("bitmod-fp4").unwrap();
        let machine = FloatDatapath::BITMOD;
        for group in [4, 128, 256] {
            let digits = vec![DigitSet::Radix4.canonical_digits(20, 2).unwrap(); group];
            let activations = vec![f16::MAX; group];
            let sum = machine.group_sum(&activations, &digits, 2);
            let bits = machine.accumulator_bits(group, TermTable::new(&fp4, DigitSet::Radix4).unwrap().terms);
            assert!(sum.significand < 1 << (bits - 1), "{group}: {sum:?} in {bits} bits");
        }
        assert_eq!(machine.accumulator_bits(128, 2), 25);
    }
}
