//! Weights packed once, as digits, for the vector form of the float datapath.
//!
//! A panel is sixteen output channels. A word holds one digit plane of eight input channels of a panel, a nibble each; a
//! block is the words of sixteen input channels. Groups are padded to whole blocks with zero digits, and so are the last
//! group and the last panel: a cycle without products leaves the accumulator as it is.

use bitmosaic_numerics::fp16::CANONICAL_NAN;
use bitmosaic_numerics::term::MAX_PLANES;
use bitmosaic_numerics::{QuantizedMatrix, f16};
use rayon::prelude::*;

use crate::datapath::{accumulate, output};
use crate::float_datapath::{CodeDigits, GroupSum};
use crate::operands::{check_activations, non_finite_tokens, row_scale_codes};
use crate::simd::Level;
use crate::simd::float::{
    BLOCK, BLOCK_WORDS, CHANNELS, DIGITS, GroupView, Multiples, WIDEST_ACCUMULATOR, WORD, Word, group_sums,
};
use crate::{FloatDatapath, KernelError};

/// A quantized matrix in the layout of the vector form of one float datapath. [`PackedDigits::outputs`] gives the same bits
/// as [`FloatDatapath::outputs`], at any number of threads, on any host.
#[derive(Debug, Clone)]
pub struct PackedDigits {
    machine: FloatDatapath,
    level: Level,
    output_channels: usize,
    input_channels: usize,
    group: usize,
    fraction_bits: u32,
    channel_scales: Vec<f16>,
    pub(crate) store: Store,
}

/// What is kept of the weights.
#[derive(Debug, Clone)]
pub(crate) enum Store {
    /// For 1, 2, 4, 8 or 16 lanes and accumulators of 31 bits.
    Panels(Panels),
    /// For other machines: the scalar form serves them.
    Matrix(Box<QuantizedMatrix>),
}

#[derive(Debug, Clone)]
pub(crate) struct Panels {
    planes: usize,
    groups: usize,
    /// Blocks of a group.
    blocks: usize,
    /// `[panel, group, block, plane, word]`.
    words: Vec<Word>,
    /// Scale codes, `[panel, group]`.
    scales: Vec<[u8; CHANNELS]>,
}

impl PackedDigits {
    /// Packs a matrix for a machine.
    ///
    /// # Errors
    /// Those of [`FloatDatapath::outputs`] about the weights.
    pub fn new(machine: &FloatDatapath, weights: &QuantizedMatrix) -> Result<PackedDigits, KernelError> {
        weights.check()?;
        let digits = machine.check(weights)?;
        let fits = machine.accumulator_bits(weights.group, digits.terms()) <= WIDEST_ACCUMULATOR;
        let store = if fits && machine.lanes.is_power_of_two() && machine.lanes <= BLOCK {
            Store::Panels(Panels::new(weights, &digits))
        } else {
            Store::Matrix(Box::new(weights.clone()))
        };
        Ok(PackedDigits {
            machine: *machine,
            level: Level::best(),
            output_channels: weights.output_channels,
            input_channels: weights.input_channels,
            group: weights.group,
            fraction_bits: weights.weight_type.fraction_bits,
            channel_scales: weights.channel_scales.clone(),
            store,
        })
    }

    /// For tests and benches: uses this level, which the host must have.
    ///
    /// # Panics
    /// If the host does not have it.
    #[doc(hidden)]
    #[must_use]
    pub fn with_level(mut self, level: Level) -> PackedDigits {
        assert!(level.is_available(), "{level:?} is not available");
        self.level = level;
        self
    }

    /// What [`FloatDatapath::outputs`] gives for activations `[tokens, input_channels]`, bit for bit. Takes 64 bytes of memory
    /// an activation.
    ///
    /// # Errors
    /// `Shape` for activations that do not fit.
    pub fn outputs(&self, activations: &[f16]) -> Result<Vec<f16>, KernelError> {
        let tokens = check_activations(activations, self.input_channels)?;
        let panels = match &self.store {
            Store::Panels(panels) => panels,
            Store::Matrix(matrix) => return self.machine.outputs(activations, matrix),
        };
        let non_finite = non_finite_tokens(activations, self.input_channels);
        let multiples: Vec<Option<Vec<Multiples>>> = activations
            .par_chunks(self.input_channels)
            .zip(&non_finite)
            .map(|(token, non_finite)| (!non_finite).then(|| self.multiples(token, panels)))
            .collect();
        let nan = [f16::from_bits(CANONICAL_NAN); CHANNELS];
        let panel = |panel: usize| -> Vec<[f16; CHANNELS]> {
            let token = |m: &Option<Vec<Multiples>>| m.as_ref().map_or(nan, |m| self.panel_outputs(panels, panel, m));
            multiples.iter().map(token).collect()
        };
        let all: Vec<Vec<[f16; CHANNELS]>> = (0..panels.count()).into_par_iter().map(panel).collect(); // [panel][token]
        let place = |token: usize| (0..self.output_channels).map(move |c| (token, c));
        Ok((0..tokens).flat_map(place).map(|(token, c)| all[c / CHANNELS][token][c % CHANNELS]).collect())
    }

    /// Those of a token, `[group, block, slot]`.
    pub(crate) fn multiples(&self, token: &[f16], panels: &Panels) -> Vec<Multiples> {
        let mut multiples = vec![Multiples::new(f16::ZERO); panels.groups * panels.blocks * BLOCK];
        for (all, group) in multiples.chunks_mut(panels.blocks * BLOCK).zip(token.chunks(self.group)) {
            for (multiples, activation) in all.iter_mut().zip(group) {
                *multiples = Multiples::new(*activation);
            }
        }
        multiples
    }

    /// A panel's outputs of a finite token.
    fn panel_outputs(&self, panels: &Panels, panel: usize, multiples: &[Multiples]) -> [f16; CHANNELS] {
        let mut sums = [0f32; CHANNELS];
        for group in 0..panels.groups() {
            let found = group_sums(self.level, &self.machine, panels.group(panel, group, multiples));
            let scales = &panels.scales[panel * panels.groups + group];
            for (i, sum) in sums.iter_mut().enumerate() {
                let significand = i64::from(found.significands[i]);
                let group_sum = GroupSum { significand, exponent: found.exponents[i] as u32 };
                *sum = accumulate(*sum, self.machine.scaled_sum(group_sum, scales[i].into()));
            }
        }
        let mut outputs = [f16::ZERO; CHANNELS];
        let channel_scales = &self.channel_scales[panel * CHANNELS..];
        for ((result, sum), channel_scale) in outputs.iter_mut().zip(sums).zip(channel_scales) {
            *result = output(sum, *channel_scale, self.fraction_bits);
        }
        outputs
    }
}

impl Panels {
    fn new(weights: &QuantizedMatrix, digits: &CodeDigits) -> Panels {
        let (planes, groups) = (digits.terms(), weights.groups());
        let blocks = weights.group.div_ceil(BLOCK);
        let count = weights.output_channels.div_ceil(CHANNELS);
        let panel_words = groups * blocks * planes * BLOCK_WORDS;
        // Nibbles of the planes of a code, by selector and place in the table.
        let nibbles: Vec<Vec<[u32; MAX_PLANES]>> = (0..digits.selectors())
            .map(|s| {
                let places = 0..digits.places();
                places.map(|place| digits.of(place, s as u8).map(|d| DIGITS.encode(d).into())).collect()
            })
            .collect();
        let mut words = vec![Word([0; CHANNELS]); count * panel_words];
        words.par_chunks_mut(panel_words).enumerate().for_each(|(panel, words)| {
            let channels = weights.output_channels - panel * CHANNELS;
            for c in 0..channels.min(CHANNELS) {
                let row = panel * CHANNELS + c;
                let codes =
                    weights.codes[row * weights.input_channels..][..weights.input_channels].chunks(weights.group);
                for (g, codes) in codes.enumerate() {
                    let selector = usize::from(weights.selectors[row * groups + g]) % nibbles.len();
                    for k in 0..codes.len() {
                        let first = (g * blocks + k / BLOCK) * planes * BLOCK_WORDS + k % BLOCK / WORD;
                        let nibbles = &nibbles[selector][digits.place(codes, k)];
                        for (plane, nibble) in nibbles[..planes].iter().enumerate() {
                            words[first + plane * BLOCK_WORDS].0[c] |= nibble << (4 * (k % WORD));
                        }
                    }
                }
            }
        });
        let mut scales = vec![[0; CHANNELS]; count * groups];
        for row in 0..weights.output_channels {
            for (group, code) in row_scale_codes(weights, row).iter().enumerate() {
                scales[row / CHANNELS * groups + group][row % CHANNELS] = *code as u8;
            }
        }
        Panels { planes, groups, blocks, words, scales }
    }

    pub(crate) fn count(&self) -> usize {
        self.scales.len() / self.groups
    }

    /// A group of a panel and of a token's multiples.
    pub(crate) fn group<'a>(&'a self, panel: usize, group: usize, multiples: &'a [Multiples]) -> GroupView<'a> {
        let length = self.blocks * self.planes * BLOCK_WORDS;
        GroupView {
            words: &self.words[(panel * self.groups + group) * length..][..length],
            planes: self.planes,
            multiples: &multiples[group * self.blocks * BLOCK..][..self.blocks * BLOCK],
        }
    }

    /// Groups of a row.
    pub(crate) fn groups(&self) -> usize {
        self.groups
    }
}
