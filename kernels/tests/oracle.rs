//! The references against a big-integer oracle that shares no code with them: every quantity is `integer · 2^exponent`,
//! every rounding a search or a division written out here.

mod common;

use bitmosaic_kernels::{BlockDatapath, KernelError, exact, output_errors, yardstick};
use bitmosaic_numerics::{QuantizedMatrix, ScaleKind, f16, registry};
use common::{Activations, Random};
use num_bigint::{BigInt, BigUint, Sign};
use proptest::prelude::*;

/// `integer · 2^exponent`.
#[derive(Debug, Clone)]
struct Big(BigInt, i32);

impl Big {
    fn zero() -> Big {
        Big(BigInt::ZERO, 0)
    }

    fn of(value: f16) -> Big {
        let bits = i32::from(value.to_bits());
        let (field, fraction) = (bits >> 10 & 31, bits & 1023);
        let magnitude = if field == 0 { fraction } else { fraction + 1024 };
        Big(BigInt::from(if bits >> 15 == 1 { -magnitude } else { magnitude }), field.max(1) - 25)
    }

    fn times(&self, other: &Big) -> Big {
        Big(&self.0 * &other.0, self.1 + other.1)
    }

    fn times_integer(&self, factor: i64) -> Big {
        Big(&self.0 * factor, self.1)
    }

    fn plus(&self, other: &Big) -> Big {
        let exponent = self.1.min(other.1);
        let shifted = |b: &Big| &b.0 << (b.1 - exponent) as usize;
        Big(shifted(self) + shifted(other), exponent)
    }

    fn is_zero(&self) -> bool {
        self.0.sign() == Sign::NoSign
    }

    /// Nearest multiple of 2^unit, ties to even, as an integer count of units.
    fn in_units(&self, unit: i32) -> BigInt {
        if self.1 >= unit {
            return &self.0 << (self.1 - unit) as usize;
        }
        let divisor = BigUint::from(1u8) << (unit - self.1) as usize;
        let (quotient, rest) = (self.0.magnitude() / &divisor, self.0.magnitude() % &divisor);
        let twice = rest * 2u8;
        let odd = &quotient % 2u8 == BigUint::from(1u8);
        let up = twice > divisor || (twice == divisor && odd);
        BigInt::from_biguint(self.0.sign(), quotient + u8::from(up))
    }

    /// Rounded to 24 significant bits: binary32 without its exponent limits.
    fn fl32(&self) -> Big {
        let unit = self.1 + (self.0.bits() as i32 - 24).max(0);
        Big(self.in_units(unit), unit)
    }

    /// Nearest FP16 number by binary search over the ordered bits; exact zero +0.
    fn fp16(&self) -> f16 {
        if self.is_zero() {
            return f16::ZERO;
        }
        // Everything in units of 2^-25, half the smallest step; finer remainders only decide ties, so keep 400 bits.
        let fine = |b: &Big| b.0.magnitude() << (b.1 + 400) as usize;
        let position =
            |bits: u16| if bits == 0x7C00 { BigUint::from(1u8) << 416 } else { fine(&Big::of(f16::from_bits(bits))) };
        let magnitude = fine(self);
        let (mut low, mut high) = (0u16, 0x7C00u16);
        while high - low > 1 {
            let middle = (low + high) / 2;
            if position(middle) <= magnitude { low = middle } else { high = middle }
        }
        let (twice, middle) = (magnitude * 2u8, position(low) + position(high));
        let bits = if twice < middle || (twice == middle && low % 2 == 0) { low } else { high };
        f16::from_bits(bits | u16::from(self.0.sign() == Sign::Minus) << 15)
    }

    fn f64(&self) -> f64 {
        let unit = self.1 + (self.0.bits() as i32 - 53).max(0);
        let significand: i64 = self.in_units(unit).try_into().unwrap();
        significand as f64 * f64::from_bits(((1023 + unit) as u64) << 52)
    }
}

fn scale(matrix: &QuantizedMatrix, row: usize, group: usize) -> Big {
    let code = matrix.scales[row * matrix.groups() + group];
    match matrix.scale_kind {
        ScaleKind::Int8 => Big(code.into(), 0),
        ScaleKind::E8m0 => Big(1.into(), i32::from(code) - 127),
        // E4M3 with its exponent field at FP16's place is an FP16 number 2^(15 - 7) times smaller.
        ScaleKind::E4m3 => {
            let half = Big::of(f16::from_bits(code << 7));
            Big(half.0, half.1 + 8)
        }
        ScaleKind::Fp16 => Big::of(f16::from_bits(code)),
    }
}

/// `[Σ a·w, Σ |a·w|]`.
fn oracle_exact(token: &[f16], matrix: &QuantizedMatrix, row: usize) -> [Big; 2] {
    let mut sums = [Big::zero(), Big::zero()];
    let channel = Big::of(matrix.channel_scales[row]);
    for (k, activation) in token.iter().enumerate() {
        let weight = scale(matrix, row, k / matrix.group).times_integer(matrix.value(row, k));
        let mut product = Big::of(*activation).times(&weight).times(&channel);
        product.1 -= matrix.weight_type.fraction_bits as i32;
        sums[0] = sums[0].plus(&product);
        sums[1] = sums[1].plus(&Big(BigInt::from(product.0.magnitude().clone()), product.1));
    }
    sums
}

fn oracle_datapath(token: &[f16], matrix: &QuantizedMatrix, row: usize, w: i32) -> f16 {
    let mut accumulator = Big::zero();
    for (g, activations) in token.chunks(matrix.group).enumerate() {
        let exponent = activations.iter().map(|a| i32::from(a.to_bits() >> 10 & 31).max(1)).max().unwrap();
        let unit = exponent - 25 - (w - 12);
        let (largest, smallest) = (BigInt::from((1i64 << (w - 1)) - 1), BigInt::from(-(1i64 << (w - 1))));
        let mut sum = BigInt::ZERO;
        for (i, activation) in activations.iter().enumerate() {
            let aligned = Big::of(*activation).in_units(unit).min(largest.clone()).max(smallest.clone());
            sum += aligned * matrix.value(row, g * matrix.group + i);
        }
        let x = Big(sum, unit).times(&scale(matrix, row, g)).fl32();
        accumulator = accumulator.plus(&x).fl32();
    }
    let mut output = accumulator.times(&Big::of(matrix.channel_scales[row])).fl32();
    output.1 -= matrix.weight_type.fraction_bits as i32;
    output.fp16()
}

/// Outputs of the FP16 and FP32 yardsticks; `None` where an infinity occurs on the way, which the oracle does not have.
fn oracle_yardsticks(token: &[f16], matrix: &QuantizedMatrix, row: usize) -> [Option<f16>; 2] {
    let round = |b: Big| Some(b.fp16()).filter(|v| v.is_finite());
    let (mut fp16, mut fp32) = (Some(f16::ZERO), Some(Big::zero()));
    for (k, activation) in token.iter().enumerate() {
        let value = scale(matrix, row, k / matrix.group).times_integer(matrix.value(row, k));
        let mut weight = Big::of(matrix.channel_scales[row]).times(&value);
        weight.1 -= matrix.weight_type.fraction_bits as i32;
        let product = round(weight).map(|w| Big::of(*activation).times(&Big::of(w)));
        let rounded = product.clone().and_then(round);
        fp16 = fp16.zip(rounded).and_then(|(sum, p)| round(Big::of(sum).plus(&Big::of(p))));
        fp32 = fp32.zip(product).map(|(sum, p)| sum.plus(&p).fl32());
    }
    [fp16, fp32.map(|sum| sum.fp16())]
}

/// All finite activation kinds, and `types` types of the registry from a random one on, with one seed.
fn compare(types: usize, seed: u64, [tokens, output_channels, input_channels]: [usize; 3], group: usize, w: u32) {
    let mut random = Random::new(seed);
    let mut yardsticks = 0;
    let all = registry();
    let first = random.below(all.len() as u32) as usize;
    for weight_type in all.into_iter().cycle().skip(first).take(types) {
        for kind in Activations::FINITE {
            let activations = random.activations(kind, tokens, input_channels);
            let shape = [output_channels, input_channels];
            let matrix = if random.below(2) == 0 {
                let kind = ScaleKind::ALL[random.below(4) as usize];
                random.any_matrix_with_scales(&weight_type, shape, group, kind)
            } else {
                random.quantized_matrix(&weight_type, shape, group)
            };
            let place = format!("{} {kind:?} seed {seed}", weight_type.name);
            // `fp8-e5m2` and `fp16` pass 127 bits under scales of 40, and 63 bits on wide machines.
            let refused = |e: &KernelError| matches!(e, KernelError::TooWide { .. }) && matrix.magnitude_bits() > 20;
            let result = match exact(&activations, &matrix) {
                Err(e) if refused(&e) && matrix.scale_kind != ScaleKind::Int8 => continue,
                result => result.unwrap(),
            };
            let machine = match (BlockDatapath { significand_bits: w, group }).outputs(&activations, &matrix) {
                Err(e) if refused(&e) => None,
                outputs => Some(outputs.unwrap()),
            };
            let fp16 = yardstick::fp16_outputs(&activations, &matrix).unwrap();
            let fp32 = yardstick::fp32_outputs(&activations, &matrix).unwrap();
            for (t, token) in activations.chunks(input_channels).enumerate() {
                for row in 0..output_channels {
                    let i = t * output_channels + row;
                    let [sum, magnitude] = oracle_exact(token, &matrix, row);
                    assert_eq!(result.outputs[i].to_bits(), sum.fp16().to_bits(), "exact, {place}");
                    assert_eq!(result.values[i], sum.f64(), "exact value, {place}");
                    assert_eq!(result.magnitudes[i], magnitude.f64(), "magnitude, {place}");
                    if let Some(machine) = &machine {
                        let expected = oracle_datapath(token, &matrix, row, w as i32);
                        assert_eq!(machine[i].to_bits(), expected.to_bits(), "datapath W {w}, {place}");
                    }
                    let expected = oracle_yardsticks(token, &matrix, row);
                    for (found, expected) in [fp16[i], fp32[i]].into_iter().zip(expected) {
                        if let Some(expected) = expected {
                            assert_eq!(found.to_f32(), expected.to_f32(), "yardsticks, {place}"); // the zeros are equal
                            yardsticks += 1;
                        }
                    }
                }
            }
            output_errors(&result, machine.as_ref().unwrap_or(&fp32)).unwrap();
        }
    }
    assert!(yardsticks > 0);
}

#[test]
fn references_equal_the_oracle_at_the_default_width() {
    let types = registry().len();
    compare(types, 1, [2, 6, 160], 64, 14);
    compare(types, 2, [1, 3, 256], 128, 14);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]
    #[test]
    fn references_equal_the_oracle(
        seed in any::<u64>(), tokens in 1usize..3, output_channels in 1usize..4, input_channels in 1usize..70,
        group in 1usize..40, w in 4u32..=24
    ) {
        compare(3, seed, [tokens, output_channels, input_channels], group, w);
    }
}
