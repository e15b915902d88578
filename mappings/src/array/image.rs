//! Operands as they lie in memory: ARCHITECTURE.md, "The whole machine".

use std::ops::Range;

use bitmosaic_arch::{Array, Machine};
use bitmosaic_numerics::{QuantizedMatrix, f16};

use crate::stream::write_bits;

/// Bits in order, lowest first.
struct Bits {
    words: Vec<u64>,
    position: u64,
}

impl Bits {
    fn push(&mut self, value: u64, bits: u32) {
        let end = self.position + u64::from(bits);
        self.words.resize(end.div_ceil(64) as usize, 0);
        let (word, offset) = ((self.position / 64) as usize, (self.position % 64) as u32);
        write_bits(&mut self.words[word..], offset, value, bits);
        self.position = end;
    }

    /// Zeros up to a multiple of `bits`.
    fn pad(&mut self, bits: u64) {
        self.position = self.position.next_multiple_of(bits);
        self.words.resize(self.position.div_ceil(64) as usize, 0);
    }
}

/// Weight words of column blocks `blocks` and groups `own_groups` of a layer, padded to whole beats: per block channel scales, then per group its
/// record and its entries, a word a code bit. Padding channels and lanes hold zero codes, as in the tile's beats.
pub(super) fn weight_image(
    machine: &Machine,
    array: &Array,
    weights: &QuantizedMatrix,
    blocks: Range<usize>,
    own_groups: Range<usize>,
) -> Vec<u8> {
    let word = u64::from(array.weight_word_bits);
    let (columns, lanes) = (array.columns as usize, machine.pe.lanes as usize);
    let (k, groups, zero_code) = (weights.input_channels, weights.groups(), weights.weight_type.zero_code());
    let mut bits = Bits { words: Vec::new(), position: 0 };
    for block in blocks {
        let channels = block * columns..(block + 1) * columns;
        let real = |channel: usize| channel < weights.output_channels;
        for channel in channels.clone() {
            let scale = if real(channel) { weights.channel_scales[channel].to_bits() } else { 0 };
            bits.push(u64::from(scale), 16);
        }
        bits.pad(word);
        for group in own_groups.clone() {
            for channel in channels.clone() {
                let index = channel * groups + group;
                let (scale, zero, selector) = match real(channel) {
                    true => (weights.scales[index], weights.zero_point(index), weights.selectors[index]),
                    false => (weights.scale_kind.padding_code(), 0, 0),
                };
                bits.push(u64::from(scale), machine.scale_code_bits);
                if machine.zero_point_bits > 0 {
                    bits.push(i64::from(zero) as u64, machine.zero_point_bits);
                }
                bits.push(u64::from(selector), 2);
            }
            bits.pad(word);
            let group_end = k.min((group + 1) * weights.group);
            for entry in (group * weights.group..group_end).step_by(machine.entry_channels as usize) {
                for plane in 0..weights.weight_type.code_bits {
                    let chunks = (0..machine.entry_chunks() as usize).map(|chunk| entry + chunk * lanes);
                    for (start, channel) in chunks.flat_map(|start| channels.clone().map(move |c| (start, c))) {
                        let code = |lane: usize| match real(channel) && start + lane < k {
                            true => weights.codes[channel * k + start + lane],
                            false => zero_code,
                        };
                        let plane_bits = (0..lanes).rev().fold(0, |b, l| b << 1 | u64::from(code(l) >> plane & 1));
                        bits.push(plane_bits, machine.pe.lanes);
                    }
                }
            }
        }
    }
    bits.pad(u64::from(array.data_bits));
    let bytes = bits.words.iter().flat_map(|w| w.to_le_bytes());
    bytes.take((bits.position / 8) as usize).collect()
}

/// FP16 rows at a pitch of whole beats and whole entries, zeros between.
pub(super) fn activation_image(pitch: usize, input_channels: usize, activations: &[f16]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(activations.len() / input_channels * pitch);
    for row in activations.chunks(input_channels) {
        let start = bytes.len();
        bytes.extend(row.iter().flat_map(|a| a.to_bits().to_le_bytes()));
        bytes.resize(start + pitch, 0);
    }
    bytes
}
