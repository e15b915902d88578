//! The references on packed weights: checks, the map over panels, and the last step of every output. Sums come from
//! `simd`.

use bitmosaic_numerics::exact::{power_of_two, round_to_fp16};
use bitmosaic_numerics::fp16::CANONICAL_NAN;
use bitmosaic_numerics::{ScaleKind, f16};
use rayon::prelude::*;

use crate::datapath::{self, align_group};
use crate::exact::integer;
use crate::limbs::TokenLimbs;
use crate::operands::{check_activations, non_finite_tokens};
use crate::packed::{PackedWeights, Panels, Store, channel_factor};
use crate::simd::{BlockToken, MAX_LIMBS, ROWS};
use crate::{BlockDatapath, ExactResult, KernelError, exact};

impl PackedWeights {
    /// What [`crate::exact()`] gives, bit for bit.
    ///
    /// # Errors
    /// `Shape` for activations that do not fit.
    pub fn exact(&self, activations: &[f16]) -> Result<ExactResult, KernelError> {
        let tokens = check_activations(activations, self.input_channels)?;
        let panels = match &self.store {
            Store::Panels(panels) => panels,
            Store::Matrix(matrix) => return exact(activations, matrix),
        };
        let layout = panels.layout(self.group);
        let bits = panels.mode().limb_bits();
        let prepared = self.prepare(activations, |a| {
            let integers: Vec<i64> = a.iter().map(|a| integer(*a)).collect();
            [TokenLimbs::signed(&integers, layout, bits), TokenLimbs::magnitudes(&integers, layout, bits)]
        });
        let elements = self.map_panels(panels, &prepared, |panel, [signed, magnitudes]| {
            let view = panels.panel(panel);
            let sums = view.exact_sums(self.level, &signed.limbs, false);
            let absolute = view.exact_sums(self.level, &magnitudes.limbs, true);
            std::array::from_fn(|row| {
                let Some(channel_scale) = self.channel_scales.get(panel * ROWS + row) else {
                    return Default::default();
                };
                let (significand, exponent) = channel_factor(*channel_scale, self.fraction_bits);
                let sum = whole_sum(&sums[row], bits, signed, panels.bias_sums[panel][row]) * significand;
                let magnitude = -whole_sum(&absolute[row], bits, magnitudes, 0) * significand.abs();
                let unit = power_of_two(exponent);
                (round_to_fp16(sum, exponent), sum as f64 * unit, magnitude as f64 * unit)
            })
        });
        let element = |e: &Option<(f16, f64, f64)>| e.unwrap_or((f16::from_bits(CANONICAL_NAN), f64::NAN, f64::NAN));
        Ok(ExactResult {
            tokens,
            output_channels: self.output_channels,
            outputs: elements.iter().map(|e| element(e).0).collect(),
            values: elements.iter().map(|e| element(e).1).collect(),
            magnitudes: elements.iter().map(|e| element(e).2).collect(),
        })
    }

    /// The outputs of [`crate::exact()`] alone, bit for bit, in less than half the time of [`PackedWeights::exact`].
    ///
    /// # Errors
    /// `Shape` for activations that do not fit.
    pub fn outputs(&self, activations: &[f16]) -> Result<Vec<f16>, KernelError> {
        check_activations(activations, self.input_channels)?;
        let panels = match &self.store {
            Store::Panels(panels) => panels,
            Store::Matrix(matrix) => return Ok(exact(activations, matrix)?.outputs),
        };
        let layout = panels.layout(self.group);
        let bits = panels.mode().limb_bits();
        let prepared = self.prepare(activations, |a| {
            let integers: Vec<i64> = a.iter().map(|a| integer(*a)).collect();
            TokenLimbs::signed(&integers, layout, bits)
        });
        let outputs = self.map_panels(panels, &prepared, |panel, token| {
            let sums = panels.panel(panel).exact_sums(self.level, &token.limbs, false);
            std::array::from_fn(|row| {
                let Some(channel_scale) = self.channel_scales.get(panel * ROWS + row) else { return f16::ZERO };
                let (significand, exponent) = channel_factor(*channel_scale, self.fraction_bits);
                let sum = whole_sum(&sums[row], bits, token, panels.bias_sums[panel][row]);
                round_to_fp16(sum * significand, exponent)
            })
        });
        Ok(outputs.into_iter().map(or_nan).collect())
    }

    /// Limbs that each token needs in the exact product: what its time is proportional to. 0 where the product does not use
    /// limbs: tokens that are not finite, and types without panels.
    ///
    /// # Errors
    /// `Shape` for activations that do not fit.
    pub fn limbs(&self, activations: &[f16]) -> Result<Vec<usize>, KernelError> {
        let tokens = check_activations(activations, self.input_channels)?;
        let Store::Panels(panels) = &self.store else { return Ok(vec![0; tokens]) };
        let layout = panels.layout(self.group);
        let prepared = self.prepare(activations, |a| {
            let integers: Vec<i64> = a.iter().map(|a| integer(*a)).collect();
            TokenLimbs::signed(&integers, layout, panels.mode().limb_bits()).limbs.len() / layout.chunks
        });
        Ok(prepared.into_iter().map(|count| count.unwrap_or(0)).collect())
    }

    /// What [`BlockDatapath::outputs`] gives, bit for bit.
    ///
    /// # Errors
    /// `Shape` for activations or parameters that do not fit, `TooWide` where the machine refuses the type.
    pub fn block_datapath(&self, machine: &BlockDatapath, activations: &[f16]) -> Result<Vec<f16>, KernelError> {
        check_activations(activations, self.input_channels)?;
        machine.check(self.group, self.value_bits, ScaleKind::Int8)?;
        let panels = match &self.store {
            Store::Panels(panels) => panels,
            Store::Matrix(matrix) => return machine.outputs(activations, matrix),
        };
        let (layout, w) = (panels.layout(self.group), machine.significand_bits);
        let prepared = self.prepare(activations, |a| {
            let groups: Vec<_> = a.chunks(self.group).map(|group| align_group(group, w)).collect();
            let aligned: Vec<i64> = groups.iter().flat_map(|g| &g.values).map(|v| i64::from(*v)).collect();
            let units: Vec<f32> = groups.iter().map(|g| power_of_two(datapath::unit(g.exponent, w)) as f32).collect();
            (TokenLimbs::aligned(&aligned, layout, panels.mode().limb_bits(), w), units)
        });
        let outputs = self.map_panels(panels, &prepared, |panel, (token, units)| {
            let token = BlockToken { limbs: &token.limbs, bias: token.bias as f64, units };
            let sums = panels.panel(panel).block_sums(self.level, token);
            std::array::from_fn(|row| {
                let Some(channel_scale) = self.channel_scales.get(panel * ROWS + row) else { return f16::ZERO };
                datapath::output(sums[row], *channel_scale, self.fraction_bits)
            })
        });
        Ok(outputs.into_iter().map(or_nan).collect())
    }

    /// `prepare` for every finite token; `None` for the others.
    fn prepare<T: Send>(&self, activations: &[f16], prepare: impl Fn(&[f16]) -> T + Sync) -> Vec<Option<T>> {
        let non_finite = non_finite_tokens(activations, self.input_channels);
        let tokens = activations.par_chunks(self.input_channels).zip(&non_finite);
        tokens.map(|(token, non_finite)| (!non_finite).then(|| prepare(token))).collect()
    }

    /// `[tokens, output_channels]` of what `rows` gives for every panel and prepared token.
    fn map_panels<P: Sync, T: Copy + Send + Sync>(
        &self,
        panels: &Panels,
        prepared: &[Option<P>],
        rows: impl Fn(usize, &P) -> [T; ROWS] + Sync,
    ) -> Vec<Option<T>> {
        let tokens = prepared.len();
        let mut all = vec![None; panels.panels() * tokens]; // [panel, token]
        all.par_chunks_mut(tokens).enumerate().for_each(|(panel, outputs)| {
            for (output, token) in outputs.iter_mut().zip(prepared) {
                *output = token.as_ref().map(|token| rows(panel, token));
            }
        });
        let mut outputs = Vec::with_capacity(tokens * self.output_channels);
        for token in 0..tokens {
            for (panel, first) in (0..self.output_channels).step_by(ROWS).enumerate() {
                let rows = all[panel * tokens + token];
                outputs.extend((0..ROWS.min(self.output_channels - first)).map(|row| rows.map(|rows| rows[row])));
            }
        }
        outputs
    }
}

fn or_nan(output: Option<f16>) -> f16 {
    output.unwrap_or(f16::from_bits(CANONICAL_NAN))
}

/// The exact sum in units of 2^-24 from the sums of its limbs.
fn whole_sum(sums: &[i64; MAX_LIMBS], limb_bits: u32, token: &TokenLimbs, bias_sum: i64) -> i128 {
    let limbs = (0u32..).zip(sums).map(|(l, sum)| i128::from(*sum) << (limb_bits * l)).sum::<i128>();
    (limbs - i128::from(token.bias) * i128::from(bias_sum)) << token.shift
}
