//! Walks a panel, chunk by chunk, and picks the instantiation: level, mode and number of limbs are constants inside.

use super::scalar::Scalar;
use super::{
    Codes, Level, Limb, MAX_LIMBS, Mode, NARROW_BLOCK, ROWS, SEGMENTED, SEGMENTS, Table, UNIFORM, Vectors, WIDE,
    WIDE_BLOCK,
};
#[cfg(target_arch = "x86_64")]
use super::{avx2::Avx2, avx512::Avx512};

/// Four output channels as stored; everything `[chunk, row]`, rows fastest.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PanelView<'a> {
    /// One block a (chunk, row) of 4-bit codes, two of 8-bit values.
    pub codes: &'a [Codes],
    /// Scale codes of the segments.
    pub scales: &'a [[u8; SEGMENTS]],
    /// Special value selectors of the segments, two bits each: index into `tables`.
    pub selectors: &'a [u8],
    /// Code -> value for every combination of selectors; `None`: 8-bit values.
    pub tables: Option<&'a [Table; 256]>,
    /// How products are summed.
    pub mode: Mode,
    /// Segments of a group.
    pub group_segments: usize,
    /// Σ value of a group, `[group, row]`.
    pub value_sums: &'a [[i32; ROWS]],
}

/// A token of the block datapath.
#[derive(Debug, Clone, Copy)]
pub(crate) struct BlockToken<'a> {
    /// `[chunk, limb]`.
    pub limbs: &'a [Limb],
    /// What was added to every aligned activation.
    pub bias: f64,
    /// Power of two of every group's sums.
    pub units: &'a [f32],
}

impl PanelView<'_> {
    fn chunks(&self) -> usize {
        self.selectors.len() / ROWS
    }

    /// Values of a row in a chunk.
    ///
    /// Safety: that of [`Vectors`].
    #[inline(always)]
    unsafe fn values<V: Vectors>(&self, chunk: usize, row: usize) -> V::Values {
        // SAFETY: passed on.
        unsafe {
            match self.tables {
                Some(tables) => {
                    let selector = self.selectors.as_chunks::<ROWS>().0[chunk][row];
                    V::decode(&self.codes.as_chunks::<ROWS>().0[chunk][row], &tables[usize::from(selector)])
                }
                None => {
                    let [low, high] = &self.codes.as_chunks::<2>().0.as_chunks::<ROWS>().0[chunk][row];
                    V::values(low, high)
                }
            }
        }
    }

    /// Scale codes of the four rows in a chunk.
    #[inline(always)]
    fn scales(&self, chunk: usize) -> &[[u8; SEGMENTS]; ROWS] {
        &self.scales.as_chunks::<ROWS>().0[chunk]
    }

    /// Σ limb · value · scale code, `[row][limb]`, of a token's `[chunk, limb]`; with `magnitudes`, -|value| for value.
    pub(crate) fn exact_sums(&self, level: Level, limbs: &[Limb], magnitudes: bool) -> [[i64; MAX_LIMBS]; ROWS] {
        assert!(level.is_available());
        // SAFETY: the host has the level, as asserted.
        unsafe {
            match level {
                Level::Scalar => exact_dispatch::<Scalar>(self, limbs, magnitudes),
                #[cfg(target_arch = "x86_64")]
                Level::Avx2 => exact_avx2(self, limbs, magnitudes),
                #[cfg(target_arch = "x86_64")]
                Level::Avx512 => exact_avx512(self, limbs, magnitudes),
                #[cfg(not(target_arch = "x86_64"))]
                _ => exact_dispatch::<Scalar>(self, limbs, magnitudes),
            }
        }
    }

    /// The FP32 accumulators of the block datapath after all groups.
    pub(crate) fn block_sums(&self, level: Level, token: BlockToken) -> [f32; ROWS] {
        assert!(level.is_available());
        // SAFETY: the host has the level, as asserted.
        unsafe {
            match level {
                Level::Scalar => block_dispatch::<Scalar>(self, token),
                #[cfg(target_arch = "x86_64")]
                Level::Avx2 => block_avx2(self, token),
                #[cfg(target_arch = "x86_64")]
                Level::Avx512 => block_avx512(self, token),
                #[cfg(not(target_arch = "x86_64"))]
                _ => block_dispatch::<Scalar>(self, token),
            }
        }
    }
}

/// Calls `$function::<V, LIMBS, MODE>` for the number of limbs and the mode of the panel.
macro_rules! instantiate {
    ($function:ident, $panel:expr, $limbs:expr, ($($argument:expr),*)) => {{
        macro_rules! with_limbs {
            ($mode:ident) => {
                match $limbs {
                    1 => $function::<V, 1, $mode>($($argument),*),
                    2 => $function::<V, 2, $mode>($($argument),*),
                    3 => $function::<V, 3, $mode>($($argument),*),
                    4 => $function::<V, 4, $mode>($($argument),*),
                    5 => $function::<V, 5, $mode>($($argument),*),
                    _ => $function::<V, 6, $mode>($($argument),*),
                }
            };
        }
        match $panel.mode {
            Mode::Uniform => with_limbs!(UNIFORM),
            Mode::Segmented => with_limbs!(SEGMENTED),
            Mode::Wide => with_limbs!(WIDE),
        }
    }};
}

/// Safety: AVX2 on this host.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
unsafe fn exact_avx2(panel: &PanelView, limbs: &[Limb], magnitudes: bool) -> [[i64; MAX_LIMBS]; ROWS] {
    // SAFETY: passed on.
    unsafe { exact_dispatch::<Avx2>(panel, limbs, magnitudes) }
}

/// Safety: AVX-512 F, BW and VNNI on this host.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
unsafe fn exact_avx512(panel: &PanelView, limbs: &[Limb], magnitudes: bool) -> [[i64; MAX_LIMBS]; ROWS] {
    // SAFETY: passed on.
    unsafe { exact_dispatch::<Avx512>(panel, limbs, magnitudes) }
}

/// Safety: AVX2 on this host.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
unsafe fn block_avx2(panel: &PanelView, token: BlockToken) -> [f32; ROWS] {
    // SAFETY: passed on.
    unsafe { block_dispatch::<Avx2>(panel, token) }
}

/// Safety: AVX-512 F, BW and VNNI on this host.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
unsafe fn block_avx512(panel: &PanelView, token: BlockToken) -> [f32; ROWS] {
    // SAFETY: passed on.
    unsafe { block_dispatch::<Avx512>(panel, token) }
}

/// Safety: that of [`Vectors`].
#[inline(always)]
pub(super) unsafe fn exact_dispatch<V: Vectors>(
    panel: &PanelView,
    limbs: &[Limb],
    magnitudes: bool,
) -> [[i64; MAX_LIMBS]; ROWS] {
    let count = limbs.len() / panel.chunks();
    // SAFETY: passed on.
    unsafe { instantiate!(exact_panel, panel, count, (panel, limbs, magnitudes)) }
}

/// Safety: that of [`Vectors`].
#[inline(always)]
pub(super) unsafe fn block_dispatch<V: Vectors>(panel: &PanelView, token: BlockToken) -> [f32; ROWS] {
    let count = token.limbs.len() / panel.chunks();
    // SAFETY: passed on.
    unsafe { instantiate!(block_panel, panel, count, (panel, token)) }
}

/// Safety: that of [`Vectors`].
#[inline(always)]
unsafe fn exact_panel<V: Vectors, const LIMBS: usize, const MODE: u8>(
    panel: &PanelView,
    limbs: &[Limb],
    magnitudes: bool,
) -> [[i64; MAX_LIMBS]; ROWS] {
    let mut totals = [[0; MAX_LIMBS]; ROWS];
    let together = V::ROWS_TOGETHER[usize::from(LIMBS > 4)];
    for first in (0..ROWS).step_by(together) {
        // SAFETY: passed on.
        unsafe {
            match together {
                1 => exact_rows::<V, LIMBS, MODE, 1>(panel, first, limbs, magnitudes, &mut totals),
                2 => exact_rows::<V, LIMBS, MODE, 2>(panel, first, limbs, magnitudes, &mut totals),
                _ => exact_rows::<V, LIMBS, MODE, 4>(panel, first, limbs, magnitudes, &mut totals),
            }
        }
    }
    totals
}

/// Safety: that of [`Vectors`].
#[inline(always)]
unsafe fn exact_rows<V: Vectors, const LIMBS: usize, const MODE: u8, const TOGETHER: usize>(
    panel: &PanelView,
    first: usize,
    limbs: &[Limb],
    magnitudes: bool,
    totals: &mut [[i64; MAX_LIMBS]; ROWS],
) {
    let block = if MODE == WIDE { WIDE_BLOCK } else { NARROW_BLOCK };
    let mut chunk = 0;
    for limbs in limbs.chunks(LIMBS * block) {
        // SAFETY: passed on.
        unsafe {
            let mut sums = [[V::zero(); LIMBS]; TOGETHER];
            for limbs in limbs.chunks_exact(LIMBS) {
                for (row, sums) in sums.iter_mut().enumerate() {
                    let mut values = panel.values::<V>(chunk, first + row);
                    if magnitudes {
                        values = V::negative_magnitudes(values);
                    }
                    let scales = V::scales::<MODE>(&panel.scales(chunk)[first + row]);
                    for (sum, limb) in sums.iter_mut().zip(limbs) {
                        *sum = V::add::<MODE>(*sum, values, limb, scales);
                    }
                }
                chunk += 1;
            }
            for (totals, sums) in totals[first..].iter_mut().zip(sums) {
                for (total, sum) in totals.iter_mut().zip(sums) {
                    *total += V::total(sum);
                }
            }
        }
    }
}

/// Group sums are integers below 2^(28 + 7 + 8) and their products with a scale code below 2^51: exact in binary64, which
/// one conversion then rounds to binary32. A product -0, where the integer form has +0, leaves the accumulator as it is.
///
/// Safety: that of [`Vectors`].
#[inline(always)]
unsafe fn block_panel<V: Vectors, const LIMBS: usize, const MODE: u8>(
    panel: &PanelView,
    token: BlockToken,
) -> [f32; ROWS] {
    let weight = if MODE == WIDE { 128.0 } else { 256.0 };
    let mut accumulator = [0f32; ROWS];
    let mut sums = [[0i32; ROWS]; LIMBS];
    let (mut group, mut segment_of_group) = (0, 0);
    for (chunk, limbs) in token.limbs.chunks_exact(LIMBS).enumerate() {
        let scales = panel.scales(chunk);
        let mut parts = [[[0i32; ROWS]; SEGMENTS]; LIMBS];
        // SAFETY: passed on.
        unsafe {
            let values = [
                panel.values::<V>(chunk, 0),
                panel.values::<V>(chunk, 1),
                panel.values::<V>(chunk, 2),
                panel.values::<V>(chunk, 3),
            ];
            for limb in 0..LIMBS {
                parts[limb] = V::group_sums::<MODE>(&values, &limbs[limb]);
            }
        }
        // In the uniform mode the four segments end together.
        let step = if MODE == UNIFORM { SEGMENTS } else { 1 };
        for segment in (0..SEGMENTS).step_by(step) {
            for limb in 0..LIMBS {
                for part in &parts[limb][segment..segment + step] {
                    for row in 0..ROWS {
                        sums[limb][row] += part[row];
                    }
                }
            }
            segment_of_group += step;
            if segment_of_group < panel.group_segments {
                continue;
            }
            // Segments behind the last group only fill its chunk.
            let Some(unit) = token.units.get(group) else { break };
            for row in 0..ROWS {
                let mut sum = -token.bias * f64::from(panel.value_sums[group][row]);
                let mut power = 1.0;
                for limb in &sums {
                    sum += f64::from(limb[row]) * power;
                    power *= weight;
                }
                let scaled = (sum * f64::from(scales[row][segment])) as f32 * unit;
                accumulator[row] += scaled;
            }
            sums = [[0; ROWS]; LIMBS];
            (group, segment_of_group) = (group + 1, 0);
        }
    }
    accumulator
}
