//! The `fp16-mac` machine as plain mathematics: a conventional processing element, FP16 weights times FP16 activations. It adds
//! as the one of [`crate::float_datapath`] does, with whole products in the place of digits' multiples. Per (token, output channel),
//! group by group:
//! 1. each cycle takes `lanes` input channels; a lane's product has an exact 22-bit significand, at exponent `activation's +
//!    weight's`; products that are zero do not take part in the largest exponent X;
//! 2. each significand, with `guard_bits` zeros below, is shifted right by its distance to X and truncated; the lanes are summed;
//! 3. the sum, with `accumulator_guard_bits` zeros below, meets the group accumulator: the one with the smaller exponent is shifted
//!    right and rounded half up, the larger exponent stays;
//! 4. the scale unit multiplies by the scale code, which is 1 for weights as they are, rounds once to binary32 and adds up; the
//!    output stage is that of [`crate::datapath`].
//!
//! **Error of a group sum.** A cycle truncates all lanes but the largest, by less than a unit of the cycle each, and rounds once, by
//! at most half a unit of the accumulator. With E the last exponent, no unit is larger than the last ones: after `n` cycles the sum
//! is off by less than `n · ((lanes - 1) · 2^accumulator_guard_bits + 1/2)` of its own units, and by nothing where no product lies
//! more than either kind of guard bits below E.

use bitmosaic_numerics::exact::power_of_two;
use bitmosaic_numerics::fp16::{CANONICAL_NAN, decode};
use bitmosaic_numerics::{QuantizedMatrix, ScaleKind, f16};

use crate::KernelError;
use crate::datapath::{accumulate, output};
use crate::float_datapath::{GroupSum, add_cycle};
use crate::operands::{check_lanes, map_output_channels, non_finite_tokens, row_scales, sum_bits, tokens};

/// Bits of a product's significand.
const PRODUCT_BITS: u32 = 22;

/// Parameters of the machine that its results depend on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MacDatapath {
    /// Input channels per cycle, a power of two.
    pub lanes: usize,
    /// Bits kept below a product's significand when it is aligned to the largest of its cycle.
    pub guard_bits: u32,
    /// Bits kept below a cycle's sum in the group accumulator.
    pub accumulator_guard_bits: u32,
}

impl MacDatapath {
    /// Outputs `[tokens, output_channels]` of activations `[tokens, input_channels]`, as the machine gives them.
    ///
    /// # Errors
    /// `Matrix` or `Shape` for operands that do not fit, among them weights of another type than `fp16` and a group that is no
    /// multiple of the lanes; `TooWide` if the accumulator times a scale code would not fit 62 bits.
    pub fn outputs(&self, activations: &[f16], weights: &QuantizedMatrix) -> Result<Vec<f16>, KernelError> {
        let tokens = tokens(activations, weights)?;
        self.check(weights)?;
        let non_finite = non_finite_tokens(activations, weights.input_channels);
        let fraction_bits = weights.weight_type.fraction_bits;
        Ok(map_output_channels(tokens, weights.output_channels, |output_channel| {
            let row = output_channel * weights.input_channels..(output_channel + 1) * weights.input_channels;
            let row: Vec<f16> = weights.codes[row].iter().map(|code| f16::from_bits(*code)).collect();
            let scales = row_scales(weights, output_channel);
            let channel_scale = weights.channel_scales[output_channel];
            let one_token = |(token, non_finite): (&[f16], &bool)| {
                if *non_finite {
                    return f16::from_bits(CANONICAL_NAN);
                }
                let mut sum = 0f32;
                let groups = token.chunks(weights.group).zip(row.chunks(weights.group));
                for ((activations, weights), scale) in groups.zip(&scales) {
                    sum = accumulate(sum, self.scaled_sum(self.group_sum(activations, weights), scale.significand));
                }
                output(sum, channel_scale, fraction_bits)
            };
            activations.chunks(weights.input_channels).zip(&non_finite).map(one_token).collect()
        }))
    }

    fn check(&self, weights: &QuantizedMatrix) -> Result<(), KernelError> {
        let name = weights.weight_type.name;
        if !weights.weight_type.is_fp16() || weights.scale_kind != ScaleKind::Int8 {
            return Err(KernelError::Shape {
                what: "weights of the FP16 datapath",
                found: format!("{name} with {} group scales", weights.scale_kind.name()),
                expected: "fp16 with int8 group scales: it multiplies by FP16 numbers alone".into(),
            });
        }
        check_lanes(weights, self.lanes)?;
        let bits = self.accumulator_bits(weights.group);
        if bits + u8::BITS > 62 {
            return Err(KernelError::TooWide { what: "the group accumulator times its scale code", bits, limit: 54 });
        }
        Ok(())
    }

    /// Bits of the group accumulator, sign included: a product, the lanes, the bits below, and one addition a cycle.
    pub fn accumulator_bits(&self, group: usize) -> u32 {
        let below = self.guard_bits + self.accumulator_guard_bits;
        PRODUCT_BITS + below + sum_bits(self.lanes) + sum_bits(group / self.lanes) + 1
    }

    /// The group accumulator after the last cycle of a group of finite numbers, in units of
    /// `2^(exponent - 50 - guard bits)`.
    pub fn group_sum(&self, activations: &[f16], weights: &[f16]) -> GroupSum {
        let cycles = activations.chunks(self.lanes).zip(weights.chunks(self.lanes));
        cycles.fold(GroupSum::default(), |sum, (activations, weights)| {
            let product = |(activation, weight): (&f16, &f16)| {
                let (a, w) = (decode(*activation), decode(*weight));
                let product = i64::from(a.significand) * i64::from(w.significand);
                (product != 0).then_some((product, a.exponent + w.exponent))
            };
            let lanes: Vec<(i64, u32)> = activations.iter().zip(weights).filter_map(product).collect();
            add_cycle(sum, &lanes, [self.guard_bits, self.accumulator_guard_bits], 0)
        })
    }

    /// `fl32(significand · scale code · 2^(exponent - 26 - guards))`: weights count in units of 2^-24. Exact product, one rounding.
    pub fn scaled_sum(&self, sum: GroupSum, scale_code: u32) -> f32 {
        let unit = sum.exponent as i32 - 26 - (self.guard_bits + self.accumulator_guard_bits) as i32;
        (sum.significand * i64::from(scale_code)) as f32 * power_of_two(unit) as f32
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exact::integer;

    const MACHINE: MacDatapath = MacDatapath { lanes: 4, guard_bits: 3, accumulator_guard_bits: 2 };

    fn sum(pairs: &[(f32, f32)]) -> GroupSum {
        let of = |part: fn(&(f32, f32)) -> f32| pairs.iter().map(|pair| f16::from_f32(part(pair))).collect::<Vec<_>>();
        MACHINE.group_sum(&of(|pair| pair.0), &of(|pair| pair.1))
    }

    #[test]
    fn group_sums_by_hand() {
        // 1 · 1: significand 2^20, 3 + 2 bits below, exponent 15 + 15.
        assert_eq!(sum(&[(1.0, 1.0)]), GroupSum { significand: 1 << 25, exponent: 30 });
        assert_eq!(sum(&[(1.5, -2.0)]), GroupSum { significand: -(3 << 24), exponent: 31 });
        // A zero has no say in the exponent.
        assert_eq!(sum(&[(60000.0, 0.0), (0.0, 60000.0), (1.0, 1.0)]), sum(&[(1.0, 1.0)]));
        // 2^23 below, three guard bits: the product keeps its highest bit; one further it is lost.
        let below = |power: i32| power_of_two(power) as f32;
        assert_eq!(sum(&[(1.0, 1.0), (below(-12), below(-11))]).significand, (1 << 25) + (1 << 2));
        assert_eq!(sum(&[(1.0, 1.0), (below(-12), below(-12))]).significand, 1 << 25);
        // In the next cycle two more are kept, the next is rounded up.
        let later = |a: i32, w: i32| {
            let [zero, one, small] = [(0.0, 0.0), (1.0, 1.0), (below(a), below(w))];
            sum(&[one, zero, zero, zero, small]).significand - (1 << 25)
        };
        assert_eq!([later(-13, -12), later(-13, -13), later(-14, -13)], [1, 1, 0]);
        // Subnormals: exponent 1, no hidden bit.
        assert_eq!(sum(&[(below(-24), below(-24))]), GroupSum { significand: 1 << 5, exponent: 2 });
    }

    #[test]
    fn the_accumulator_holds_every_sum() {
        for group in [4, 128, 256] {
            let sum = MACHINE.group_sum(&vec![f16::MAX; group], &vec![f16::MIN; group]);
            let bits = MACHINE.accumulator_bits(group);
            assert!(sum.significand > -1 << (bits - 1) && sum.significand < -1 << (bits - 3), "{sum:?} in {bits} bits");
        }
        assert_eq!(MACHINE.accumulator_bits(256), 22 + 3 + 2 + 2 + 6 + 1);
    }

    /// Distance of a group sum from the exact one, in units of the sum's last place times 2^(guard bits).
    fn off_by(machine: &MacDatapath, activations: &[f16], weights: &[f16]) -> (f64, GroupSum) {
        let sum = machine.group_sum(activations, weights);
        let products = activations.iter().zip(weights).map(|(a, w)| i128::from(integer(*a)) * i128::from(integer(*w)));
        // Both in units of 2^(-48 - guard bits); the sum's own is 2^(E - 2) of these.
        let exact = products.sum::<i128>() << (machine.guard_bits + machine.accumulator_guard_bits);
        let unit = sum.exponent.max(2) - 2;
        let found = i128::from(sum.significand) << unit;
        ((found - exact).unsigned_abs() as f64 / power_of_two(unit as i32), sum)
    }

    #[test]
    fn group_sums_are_as_near_as_stated() {
        let mut state = 1u64;
        let mut random = move || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) as u32
        };
        let (mut exact, mut rounded) = (0, 0);
        for case in 0..4000 {
            let lanes = 1usize << (random() % 5);
            let (guard_bits, accumulator_guard_bits) = (random() % 9, random() % 9);
            let machine = MacDatapath { lanes, guard_bits, accumulator_guard_bits };
            let cycles = 1 + random() as usize % 8;
            // Every fourth case within the guard bits: products of exponents at most so many apart.
            let near = case % 4 == 0;
            let spread = if near { guard_bits.min(accumulator_guard_bits) } else { 30 };
            let mut number = |spread: u32| {
                let field = if spread == 30 { random() % 31 } else { 15 - random() % (spread + 1) };
                f16::from_bits((((random() % 2) << 15) | (field << 10) | (random() % 1024)) as u16)
            };
            let activations: Vec<f16> = (0..cycles * lanes).map(|_| number(spread)).collect();
            let weights: Vec<f16> = (0..cycles * lanes).map(|_| number(if near { 0 } else { spread })).collect();
            let (off, sum) = off_by(&machine, &activations, &weights);
            let lost = (lanes as f64 - 1.0) * power_of_two(accumulator_guard_bits as i32) + 0.5;
            assert!(off <= cycles as f64 * lost, "{machine:?} {cycles} cycles: {off} units of {sum:?}");
            assert!(!near || off == 0.0, "{machine:?}: {off} units of {sum:?}");
            exact += u32::from(off == 0.0);
            rounded += u32::from(off > 1.0);
        }
        assert!(exact > 1000 && rounded > 1000, "{exact} {rounded}");
    }
}
