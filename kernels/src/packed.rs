//! Weights packed once for the vector references, so that a product streams each byte once.
//!
//! A panel is four output channels, a chunk 128 slots of a row, a segment the 32 slots of one 128-bit lane. Groups start
//! at segment boundaries and are padded to whole segments; padded slots meet activations of limb 0, whatever their code is.
//! Types of at most 16 codes are stored as 4-bit codes and decoded in registers, others as signed bytes. A type with a
//! value outside a signed byte, zero points, outlier-victim pairs, and group scales that are not 8-bit integers have no panels:
//! the scalar references serve them.

use bitmosaic_numerics::fp16::decode;
use bitmosaic_numerics::{QuantizedMatrix, SPECIAL_VALUES, ScaleKind, f16};

use crate::KernelError;
use crate::exact::check_exact_sum;
use crate::operands::{row_scale_codes, row_values, value_bits};
use crate::simd::{CHUNK, Codes, Level, Mode, PanelView, ROWS, SEGMENT, SEGMENTS, Table};

/// Largest magnitude of the narrow modes: eight products with an 8-bit limb fit 16 bits.
const NARROW_LIMIT: u32 = 16;

/// A quantized matrix in the layout of the vector references. [`PackedWeights::exact`], [`PackedWeights::outputs`] and
/// [`PackedWeights::block_datapath`] give the same bits as [`crate::exact()`] and [`crate::BlockDatapath`], at any number of
/// threads, on any host.
#[derive(Debug, Clone)]
pub struct PackedWeights {
    pub(crate) level: Level,
    pub(crate) output_channels: usize,
    pub(crate) input_channels: usize,
    pub(crate) group: usize,
    pub(crate) fraction_bits: u32,
    pub(crate) value_bits: u32,
    pub(crate) channel_scales: Vec<f16>,
    pub(crate) store: Store,
}

/// What is kept of the weights.
#[derive(Debug, Clone)]
pub(crate) enum Store {
    /// Values that fit signed bytes, one by one, without zero points, under 8-bit integer scales.
    Panels(Panels),
    /// Others: for the scalar references.
    Matrix(Box<QuantizedMatrix>),
}

/// The panels of a matrix; every vector `[panel, chunk, row]` unless said otherwise.
#[derive(Debug, Clone)]
pub(crate) struct Panels {
    mode: Mode,
    group_segments: usize,
    groups: usize,
    chunks: usize,
    codes: Vec<Codes>,
    tables: Option<Box<[Table; 256]>>,
    scales: Vec<[u8; SEGMENTS]>,
    selectors: Vec<u8>,
    /// Σ value of a group, `[panel, group, row]`.
    value_sums: Vec<[i32; ROWS]>,
    /// Σ value · scale code, `[panel, row]`: what a bias of 1 in every activation adds.
    pub(crate) bias_sums: Vec<[i64; ROWS]>,
}

/// Where the activations of a group lie in a token's chunks.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Layout {
    pub(crate) group: usize,
    pub(crate) group_segments: usize,
    pub(crate) chunks: usize,
}

impl Layout {
    fn new(weights: &QuantizedMatrix) -> Layout {
        let group_segments = weights.group.div_ceil(SEGMENT);
        Layout { group: weights.group, group_segments, chunks: (weights.groups() * group_segments).div_ceil(SEGMENTS) }
    }

    /// Chunk and byte of the first of up to 16 activations that lie side by side: piece `piece` of group `group`.
    pub(crate) fn place(self, group: usize, piece: usize) -> (usize, usize) {
        let segment = group * self.group_segments + piece / 2;
        (segment / SEGMENTS, piece % 2 * (CHUNK / 2) + segment % SEGMENTS * 16)
    }
}

impl PackedWeights {
    /// Packs a matrix.
    ///
    /// # Errors
    /// `Matrix` if it is not consistent, `TooWide` where [`crate::exact()`] refuses it.
    pub fn new(weights: &QuantizedMatrix) -> Result<PackedWeights, KernelError> {
        weights.check()?;
        check_exact_sum(weights)?;
        let mut values = weights.weight_type.all_values();
        if weights.weight_type.special_code().is_some() {
            values.extend(weights.special_values.map(i64::from));
        }
        let bytes: Option<Vec<i8>> = values.into_iter().map(|v| i8::try_from(v).ok()).collect();
        let plain = weights.scale_kind == ScaleKind::Int8
            && !weights.weight_type.has_zero_point()
            && weights.weight_type.victim_code().is_none();
        let store = match bytes.filter(|_| plain) {
            Some(bytes) => {
                let largest = bytes.iter().map(|v| u32::from(v.unsigned_abs())).max().unwrap_or(0);
                Store::Panels(Panels::new(weights, largest))
            }
            None => Store::Matrix(Box::new(weights.clone())),
        };
        Ok(PackedWeights {
            level: Level::best(),
            output_channels: weights.output_channels,
            input_channels: weights.input_channels,
            group: weights.group,
            fraction_bits: weights.weight_type.fraction_bits,
            value_bits: value_bits(weights),
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
    pub fn with_level(mut self, level: Level) -> PackedWeights {
        assert!(level.is_available(), "{level:?} is not available");
        self.level = level;
        self
    }

    /// Bytes that a product of one token reads of the weights.
    pub fn bytes(&self) -> usize {
        match &self.store {
            Store::Panels(p) => size_of_val(&p.codes[..]) + size_of_val(&p.scales[..]) + p.selectors.len(),
            Store::Matrix(m) => {
                size_of_val(&m.codes[..]) + size_of_val(&m.scales[..]) + m.selectors.len() + m.zero_points.len()
            }
        }
    }

    /// Output channels.
    pub fn output_channels(&self) -> usize {
        self.output_channels
    }

    /// Input channels.
    pub fn input_channels(&self) -> usize {
        self.input_channels
    }
}

impl Panels {
    fn new(weights: &QuantizedMatrix, largest: u32) -> Panels {
        let layout = Layout::new(weights);
        let nibbles = weights.weight_type.codes.len() <= 16;
        let mode = match layout.group_segments.is_multiple_of(SEGMENTS) {
            _ if largest > NARROW_LIMIT => Mode::Wide,
            true => Mode::Uniform,
            false => Mode::Segmented,
        };
        let (panels, groups) = (weights.output_channels.div_ceil(ROWS), weights.groups());
        let places = panels * layout.chunks * ROWS;
        let blocks = if nibbles { 1 } else { 2 };
        let mut p = Panels {
            mode,
            group_segments: layout.group_segments,
            groups,
            chunks: layout.chunks,
            codes: vec![Codes([0; 64]); places * blocks],
            tables: nibbles.then(|| tables(weights)),
            scales: vec![[0; SEGMENTS]; places],
            selectors: vec![0; places],
            value_sums: vec![[0; ROWS]; panels * groups],
            bias_sums: vec![[0; ROWS]; panels],
        };
        for output_channel in 0..weights.output_channels {
            p.pack_row(weights, layout, output_channel);
        }
        p
    }

    fn pack_row(&mut self, weights: &QuantizedMatrix, layout: Layout, output_channel: usize) {
        let (panel, row) = (output_channel / ROWS, output_channel % ROWS);
        let place = |chunk: usize| (panel * self.chunks + chunk) * ROWS + row;
        let values = row_values(weights, output_channel);
        let scales: Vec<u8> = row_scale_codes(weights, output_channel).iter().map(|c| *c as u8).collect();
        let codes = &weights.codes[output_channel * weights.input_channels..][..weights.input_channels];
        for (g, values) in values.chunks(weights.group).enumerate() {
            let codes = &codes[g * weights.group..][..values.len()];
            let sum = values.iter().sum::<i64>() as i32; // of signed bytes
            self.value_sums[panel * self.groups + g][row] = sum;
            self.bias_sums[panel][row] += i64::from(sum) * i64::from(scales[g]);
            let selector = weights.selectors[output_channel * self.groups + g];
            for segment in g * layout.group_segments..(g + 1) * layout.group_segments {
                let place = place(segment / SEGMENTS);
                self.scales[place][segment % SEGMENTS] = scales[g];
                self.selectors[place] |= selector << (2 * (segment % SEGMENTS));
            }
            for (piece, (codes, values)) in codes.chunks(16).zip(values.chunks(16)).enumerate() {
                let (chunk, byte) = layout.place(g, piece);
                let (place, byte, high) = (place(chunk), byte % 64, byte / 64);
                for (i, (code, value)) in codes.iter().zip(values).enumerate() {
                    if self.tables.is_some() {
                        self.codes[place].0[byte + i] |= (code << (4 * high)) as u8;
                    } else {
                        self.codes[2 * place + high].0[byte + i] = *value as u8;
                    }
                }
            }
        }
    }

    pub(crate) fn panels(&self) -> usize {
        self.bias_sums.len()
    }

    pub(crate) fn mode(&self) -> Mode {
        self.mode
    }

    pub(crate) fn layout(&self, group: usize) -> Layout {
        Layout { group, group_segments: self.group_segments, chunks: self.chunks }
    }

    pub(crate) fn panel(&self, panel: usize) -> PanelView<'_> {
        let places = panel * self.chunks * ROWS..(panel + 1) * self.chunks * ROWS;
        let blocks = if self.tables.is_some() { 1 } else { 2 };
        PanelView {
            codes: &self.codes[places.start * blocks..places.end * blocks],
            scales: &self.scales[places.clone()],
            selectors: &self.selectors[places],
            tables: self.tables.as_deref(),
            mode: self.mode,
            group_segments: self.group_segments,
            value_sums: &self.value_sums[panel * self.groups..(panel + 1) * self.groups],
        }
    }
}

/// Signed bytes of every 4-bit code for every combination of the segments' selectors.
fn tables(weights: &QuantizedMatrix) -> Box<[Table; 256]> {
    let mut tables = Box::new([Table([0; 64]); 256]);
    for (combination, table) in tables.iter_mut().enumerate() {
        for (segment, entries) in table.0.chunks_exact_mut(16).enumerate() {
            let special = weights.special_values[(combination >> (2 * segment)) % SPECIAL_VALUES];
            for (code, entry) in (0u16..).zip(entries) {
                *entry = weights.weight_type.value(code, special).unwrap_or(0) as u8;
            }
        }
    }
    tables
}

/// Signed significand of a channel scale and the exponent of its products in units of 2^-24 and of the type's fraction.
pub(crate) fn channel_factor(channel_scale: f16, fraction_bits: u32) -> (i128, i32) {
    let channel = decode(channel_scale);
    (channel.significand.into(), channel.exponent as i32 - 25 - 24 - fraction_bits as i32)
}
