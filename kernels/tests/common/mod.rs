//! Seeded operands for the oracle and accuracy tests.
#![allow(dead_code)] // each test uses its part

use bitmosaic_numerics::{QuantizedMatrix, ScaleKind, WeightType, f16, quantize_matrix, weights_to_fp16};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// What activations look like; tests loop over [`Activations::FINITE`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Activations {
    Normal,
    HeavyTailed,
    /// Heavy-tailed, 1 % of the input channels 20 to 100 times larger.
    Outliers,
    Subnormal,
    /// ±65504 only.
    Largest,
    MostlyZero,
    /// Any finite bit pattern.
    AnyFinite,
    /// Any finite bit pattern, 1 % NaN or infinite.
    NonFinite,
}

impl Activations {
    pub const FINITE: [Activations; 7] = [
        Activations::Normal,
        Activations::HeavyTailed,
        Activations::Outliers,
        Activations::Subnormal,
        Activations::Largest,
        Activations::MostlyZero,
        Activations::AnyFinite,
    ];
}

pub struct Random(ChaCha8Rng);

impl Random {
    pub fn new(seed: u64) -> Random {
        Random(ChaCha8Rng::seed_from_u64(seed))
    }

    pub fn bits(&mut self) -> u32 {
        self.0.next_u32()
    }

    pub fn below(&mut self, limit: u32) -> u32 {
        ((u64::from(self.bits()) * u64::from(limit)) >> 32) as u32
    }

    /// Uniform in [0, 1), 24 bits.
    pub fn uniform(&mut self) -> f32 {
        (self.bits() >> 8) as f32 / 16_777_216.0
    }

    /// Near normal, variance 1: the sum of twelve uniforms minus six.
    pub fn normal(&mut self) -> f32 {
        (0..12).map(|_| self.uniform()).sum::<f32>() - 6.0
    }

    /// A normal number over the square root of a uniform one (kept from 0.02): tails like a Student t.
    pub fn heavy_tailed(&mut self) -> f32 {
        self.normal() / (0.02 + 0.98 * self.uniform()).sqrt()
    }

    pub fn finite(&mut self) -> f16 {
        loop {
            let value = f16::from_bits(self.bits() as u16);
            if value.is_finite() {
                return value;
            }
        }
    }

    pub fn activations(&mut self, kind: Activations, tokens: usize, channels: usize) -> Vec<f16> {
        let mut channel_sizes = vec![1.0; channels];
        for _ in 0..channels.div_ceil(100) {
            channel_sizes[self.below(channels as u32) as usize] = 20.0 + 80.0 * self.uniform();
        }
        let one = |i: usize| match kind {
            Activations::Normal => f16::from_f32(self.normal()),
            Activations::HeavyTailed => f16::from_f32(self.heavy_tailed()),
            Activations::Outliers => f16::from_f32(self.heavy_tailed() * channel_sizes[i % channels]),
            Activations::Subnormal => f16::from_bits((self.below(0x480) | self.below(2) << 15) as u16),
            Activations::Largest => f16::from_bits((0x7BFF | self.below(2) << 15) as u16),
            Activations::MostlyZero if self.below(50) != 0 => f16::from_bits((self.below(2) << 15) as u16),
            Activations::MostlyZero | Activations::AnyFinite => self.finite(),
            Activations::NonFinite if self.below(100) == 0 => {
                f16::from_bits((0x7C00 | self.below(2) << 15 | self.below(3)) as u16)
            }
            Activations::NonFinite => self.finite(),
        };
        (0..tokens * channels).map(one).collect()
    }

    /// Any consistent matrix with 8-bit integer scales.
    pub fn any_matrix(&mut self, weight_type: &WeightType, shape: [usize; 2], group: usize) -> QuantizedMatrix {
        self.any_matrix_with_scales(weight_type, shape, group, ScaleKind::Int8)
    }

    /// Any consistent matrix: random codes and pairs, selectors, zero points, scale codes and special values; channel scales any finite
    /// number.
    pub fn any_matrix_with_scales(
        &mut self,
        weight_type: &WeightType,
        shape: [usize; 2],
        group: usize,
        scale_kind: ScaleKind,
    ) -> QuantizedMatrix {
        let [output_channels, input_channels] = shape;
        let usable: Vec<u16> = weight_type.codebook(Some(0)).into_iter().map(|(_, code)| code).collect();
        let groups = output_channels * input_channels.div_ceil(group);
        let scales: Vec<u16> = (0..=u16::MAX).filter(|code| scale_kind.decode(*code).is_some()).collect();
        let mut special_values = weight_type.special_values();
        if self.below(2) == 0 {
            special_values = special_values.map(|_| self.below(41) as i32 - 20);
        }
        let mut codes: Vec<u16> =
            (0..output_channels * input_channels).map(|_| usable[self.below(usable.len() as u32) as usize]).collect();
        // Every third pair an outlier and its victim.
        if let Some(victim) = weight_type.victim_code() {
            let outliers = weight_type.outliers();
            let groups = codes.chunks_mut(input_channels).flat_map(|row| row.chunks_mut(group));
            for pair in groups.flat_map(|group| group.chunks_exact_mut(2)) {
                let outlier = outliers[self.below(outliers.len() as u32) as usize].1;
                match self.below(6) {
                    0 => pair.copy_from_slice(&[outlier, victim]),
                    1 => pair.copy_from_slice(&[victim, outlier]),
                    _ => {}
                }
            }
        }
        let matrix = QuantizedMatrix {
            weight_type: weight_type.clone(),
            output_channels,
            input_channels,
            group,
            codes,
            selectors: (0..groups).map(|_| self.below(4) as u8).collect(),
            zero_points: (0..if weight_type.has_zero_point() { groups } else { 0 })
                .map(|_| (self.below(1 << weight_type.code_bits) as i32 - (1 << (weight_type.code_bits - 1))) as i8)
                .collect(),
            scale_kind,
            scales: (0..groups).map(|_| scales[self.below(scales.len() as u32) as usize]).collect(),
            channel_scales: (0..output_channels).map(|_| self.finite()).collect(),
            special_values,
        };
        matrix.check().unwrap();
        matrix
    }

    /// Heavy-tailed weights, quantized.
    pub fn quantized_matrix(&mut self, weight_type: &WeightType, shape: [usize; 2], group: usize) -> QuantizedMatrix {
        let weights: Vec<f32> = (0..shape[0] * shape[1]).map(|_| self.heavy_tailed() * 0.02).collect();
        quantize_matrix(&weights_to_fp16(&weights), shape, group, weight_type).unwrap()
    }
}
